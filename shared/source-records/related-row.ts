/** Rows of the records that activities refer to: the name, and the links needed to roll up. */
import { cellReaders, RejectedCell } from './cell-reader.ts';
import { planColumns } from './column-plan.ts';
import { relatedColumns } from './columns.ts';
import { identityReader } from './identity.ts';
import type { Mapping } from './mapping.ts';
import { rejectedRecord } from './rejected-record.ts';
import type { RowReader } from './row-reader.ts';
import { type RelatedObject, relatedObjects } from './salesforce-object.ts';

/** Of a mapping only what every object has applies here, so that one mapping serves a whole folder of files. */
const mappingFor = ({ id, deleted, sourceModifiedAt }: Mapping): Mapping => ({
  ...(id !== undefined && { id }),
  ...(deleted !== undefined && { deleted }),
  ...(sourceModifiedAt !== undefined && { sourceModifiedAt }),
});

/** Undefined where none of the columns is there, else their texts joined, null where all are empty. */
function joined(parts: readonly (string | null | undefined)[], by: string): string | null | undefined {
  if (parts.every((part) => part === undefined)) return undefined;
  return parts.filter((part) => part).join(by) || null;
}

export function relatedRowReader(object: RelatedObject, header: readonly string[], mapping: Mapping): RowReader {
  const plan = planColumns(header, relatedColumns[object], {}, mappingFor(mapping));
  const cells = cellReaders(header, plan);
  const identity = identityReader(object, cells);
  const [name, firstName, lastName, email] = [
    cells.text('name'),
    cells.text('firstName'),
    cells.text('lastName'),
    cells.text('email'),
  ];
  const [caseNumber, subject] = [cells.text('caseNumber'), cells.text('subject')];
  const [accountId, contactId, managerId, teamId] = [
    cells.id('accountId'),
    cells.id('contactId'),
    cells.id('managerId'),
    cells.id('teamId'),
  ];
  const type = relatedObjects[object];

  const nameOf = (fields: readonly string[]): string | null | undefined =>
    object === 'Case'
      ? joined([caseNumber(fields), subject(fields)], ' · ')
      : (name(fields) ?? joined([firstName(fields), lastName(fields)], ' ') ?? name(fields));

  const read: RowReader['read'] = (fields, line) => {
    let sourceId: string | null = null;
    try {
      sourceId = identity.sourceId(fields);
      return {
        line,
        noun: 'related-record',
        sourceId,
        sourceModifiedAt: identity.sourceModifiedAt(fields),
        deleted: identity.deleted(fields),
        type,
        links: {
          accountId: accountId(fields),
          contactId: contactId(fields),
          managerId: managerId(fields),
          teamId: teamId(fields),
        },
        name: nameOf(fields),
        email: email(fields),
      };
    } catch (error) {
      if (!(error instanceof RejectedCell)) throw error;
      return rejectedRecord(line, sourceId, error.message);
    }
  };
  return { plan, read };
}
