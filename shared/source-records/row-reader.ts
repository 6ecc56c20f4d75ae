/** Rows of one Salesforce object as source records. */

import { activityRowReader } from './activity-row.ts';
import type { ColumnPlan } from './column-plan.ts';
import type { Mapping } from './mapping.ts';
import { relatedRowReader } from './related-row.ts';
import { isActivityObject, isRelatedObject, salesforceObjects } from './salesforce-object.ts';
import type { SourceRecord } from './source-record.ts';
import { UnreadableFile } from './unreadable-file.ts';

export interface RowReader {
  readonly plan: ColumnPlan;
  readonly read: (fields: readonly string[], line: number) => SourceRecord;
}

/** Throws UnreadableFile where the object is none of ours or the columns do not suffice. */
export function rowReader(object: string, header: readonly string[], mapping: Mapping): RowReader {
  if (isActivityObject(object)) return activityRowReader(object, header, mapping);
  if (isRelatedObject(object)) return relatedRowReader(object, header, mapping);
  throw new UnreadableFile(`The object must be one of ${salesforceObjects.join(', ')}.`);
}
