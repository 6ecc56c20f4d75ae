/** Compares read models with the oracle, row by row, and says shortly where they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { Oracle, oracleTables } from '../oracle.ts';
import type { PlainRow, ReadModelRows } from './read-model-rows.ts';
import type { System } from './system.ts';

/** Differences between two lists of rows that are in the same order; at most five are shown. */
export function rowDifferences(table: string, expected: readonly PlainRow[], found: readonly PlainRow[]): string[] {
  const differences: string[] = [];
  if (expected.length !== found.length)
    differences.push(`${table}: ${expected.length} rows expected, ${found.length} found`);
  for (let at = 0; at < Math.max(expected.length, found.length) && differences.length < 5; at++) {
    const [want, got] = [expected[at], found[at]];
    if (isDeepStrictEqual(want, got)) continue;
    const columns = [...new Set([...Object.keys(want ?? {}), ...Object.keys(got ?? {})])];
    const told = columns
      .filter((column) => !isDeepStrictEqual(want?.[column], got?.[column]))
      .map((column) => `${column}: ${JSON.stringify(want?.[column])} expected, ${JSON.stringify(got?.[column])} found`);
    differences.push(`${table} row ${at}: ${told.join('; ').slice(0, 1_000)}`);
  }
  return differences;
}

export function oracleOf(events: readonly RecordedEvent[]): Oracle {
  const oracle = new Oracle();
  for (const event of events) oracle.apply(event);
  return oracle;
}

/** Empty where every table of the live generations holds exactly what the oracle says; names every table compared. */
export function differencesFromOracle(oracle: Oracle, rows: ReadModelRows): string[] {
  const unknown = [...rows.keys()].filter((table) => !(oracleTables as string[]).includes(table));
  return [
    ...unknown.map((table) => `the oracle does not know the table ${table}`),
    ...oracleTables.flatMap((table) => rowDifferences(table, oracle.rows(table), rows.get(table) ?? [])),
  ];
}

/** Waits until all is applied, and compares. */
export async function compareWithOracle(system: System): Promise<string[]> {
  await system.settle();
  return differencesFromOracle(oracleOf(await system.events()), await system.rows());
}
