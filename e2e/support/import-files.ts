/** Imports files as the command line does: announce the parts, send each, complete. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Answer, Api, Json } from './api.ts';

export interface ImportFile {
  /** Of a CSV; null: the text is NDJSON. */
  readonly object: string | null;
  readonly text: string | Uint8Array;
}

export interface ImportOptions {
  readonly source?: string;
  readonly mode?: 'partial' | 'full' | 'incremental';
  readonly mapping?: Readonly<Record<string, string>>;
}

export interface Imported {
  readonly run: string;
  readonly resumed: boolean;
  readonly totals: Record<string, number>;
  readonly position: string;
}

export const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content);
export const digestHeader = (content: string | Uint8Array) => `sha-256=:${sha256(content).digest('base64')}:`;
export const digestOf = (content: string | Uint8Array) => `sha-256:${sha256(content).digest('hex')}`;

export const announcement = (files: readonly ImportFile[]) =>
  files.map(({ object, text }, index) => ({ part: index + 1, object, digest: digestOf(text) }));

/**
 * The first run of a source waits for the views, for ten seconds at most: whoever is told to ask again does so. What
 * never comes is for the time limit of the test.
 */
export async function startRun(api: Api, files: readonly ImportFile[], options: ImportOptions = {}): Promise<Answer> {
  const { source = 'salesforce', mode = 'partial', mapping = {} } = options;
  for (;;) {
    const answer = await api.post('/sync-runs', { source, mode, mapping, parts: announcement(files) });
    if (answer.status !== 503 || answer.body.code !== 'view-behind') return answer;
    await wait(Number(answer.headers.get('retry-after')) * 1_000);
  }
}

export function sendPart(
  api: Api,
  run: string,
  part: number,
  { object, text }: ImportFile,
  headers: Readonly<Record<string, string>> = { 'Content-Digest': digestHeader(text) },
): Promise<Answer> {
  const query = object === null ? '' : `?object=${object}`;
  return api.call('PUT', `/sync-runs/${run}/parts/${part}${query}`, undefined, {
    raw: text,
    headers: { 'Content-Type': object === null ? 'application/x-ndjson' : 'text/csv', ...headers },
  });
}

export async function importFiles(
  api: Api,
  files: readonly ImportFile[],
  options: ImportOptions = {},
): Promise<Imported> {
  const started = await api.ok(startRun(api, files, options), 200, 201);
  const run: string = started.body.id;
  for (const [index, file] of files.entries()) await api.ok(sendPart(api, run, index + 1, file), 200);
  const ended = await api.ok(api.post(`/sync-runs/${run}/complete`), 200);
  const totals = (ended.body as Json).totals;
  return { run, resumed: started.body.resumed, totals, position: ended.position };
}

/** A cell as every CSV reader takes it. */
const cell = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;

/** Rows as CSV; the columns are those of the first row. */
export function csvOf(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  return [columns.map(cell), ...rows.map((row) => columns.map((column) => cell(row[column])))]
    .map((cells) => `${cells.join(',')}\n`)
    .join('');
}

export const ndjsonOf = (lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
