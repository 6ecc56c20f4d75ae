/**
 * The records of a streamed file, one at a time and as fast as they are asked for: at most about 1 MiB is held. What is
 * wrong with one record becomes a rejected record; what is wrong with the whole file is thrown as UnreadableFile,
 * before the first record.
 */
import { openCsv } from './csv-table.ts';
import type { Mapping } from './mapping.ts';
import { ndjsonLines } from './ndjson-lines.ts';
import { ndjsonRecord } from './ndjson-record.ts';
import { rejectedRecord } from './rejected-record.ts';
import { rowReader } from './row-reader.ts';
import { knownObject, skippedObjects } from './salesforce-object.ts';
import type { SourceRecord } from './source-record.ts';
import { UnreadableFile } from './unreadable-file.ts';

export interface ReadOptions {
  readonly format: 'csv' | 'ndjson';
  /** The Salesforce object of a CSV file. NDJSON lines name their own. */
  readonly object?: string | undefined;
  readonly mapping: Mapping;
}

/** Throws UnreadableFile for a name that is no object of ours; of a known object that is skipped it says why. */
function objectNamed(name: string | undefined): string {
  const object = knownObject(name ?? '');
  const skipped = object === null ? undefined : skippedObjects[object];
  if (skipped !== undefined) throw new UnreadableFile(`${object} is not imported: ${skipped}.`);
  return object ?? '';
}

export async function* readRecords(
  body: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): AsyncGenerator<SourceRecord, void, undefined> {
  if (options.format === 'ndjson') {
    for await (const lines of ndjsonLines(body))
      for (const { line, text, problem } of lines)
        yield text === null ? rejectedRecord(line, null, problem) : ndjsonRecord(text, line);
    return;
  }
  const { header, rows } = await openCsv(body);
  const { read } = rowReader(objectNamed(options.object), header, options.mapping);
  for await (const block of rows)
    for (const { line, fields, problem } of block)
      yield fields === null ? rejectedRecord(line, null, problem) : read(fields, line);
}
