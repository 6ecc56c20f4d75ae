/**
 * Demo data as CSV files of Salesforce objects, of any size: nothing is kept between rows. The same options give the
 * same bytes on every machine; there is neither Math.random nor a clock in it. No real person's data.
 */
import { csvText } from './csv-text.ts';
import { eventHeader, eventRow } from './event-file.ts';
import { type RelatedDemoObject, relatedTables } from './related-files.ts';
import { taskHeader, taskRow } from './task-file.ts';
import { world } from './world.ts';

export interface DemoOptions {
  /** Tasks and Events together; about 8 % are Events. */
  readonly activities: number;
  /** A whole number from 0 to 2^53 - 1. */
  readonly seed: number;
  /** The date, as YYYY-MM-DD, before which everything was written; activities reach back two years from it. */
  readonly until?: string;
}

export interface DemoFile {
  readonly object: string;
  readonly fileName: string;
  /** CSV text in chunks, the header first. Each call starts anew. */
  readonly rows: () => Iterable<string>;
}

const DEMO_UNTIL = '2026-11-01';

/** In the order to import them: what is referred to comes first. Throws RangeError for options that make no sense. */
export function demoFiles({ activities, seed, until = DEMO_UNTIL }: DemoOptions): DemoFile[] {
  const end = Date.parse(`${until}T00:00:00.000Z`);
  if (!Number.isSafeInteger(activities) || activities < 0)
    throw new RangeError('activities must be a whole number, 0 or more');
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError('seed must be a whole number, 0 or more');
  if (Number.isNaN(end)) throw new RangeError('until must be a date, as YYYY-MM-DD');
  const of = world(activities, seed, end);
  const related = (Object.keys(relatedTables) as RelatedDemoObject[]).map((object) => ({
    object,
    fileName: `${object}.csv`,
    rows: () => csvText(relatedTables[object].header, of.sizes[object], (i) => relatedTables[object].row(of, i)),
  }));
  return [
    ...related,
    { object: 'Task', fileName: 'Task.csv', rows: () => csvText(taskHeader, of.sizes.Task, (i) => taskRow(of, i)) },
    {
      object: 'Event',
      fileName: 'Event.csv',
      rows: () => csvText(eventHeader, of.sizes.Event, (i) => eventRow(of, i)),
    },
  ];
}
