/** Looks at the files of an import before anything is sent: whether they can be read, and what they hold. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { CliError } from '#cli/cli-error.ts';
import type { ImportPart } from '#cli/run-import.ts';
import { sourceName } from '#shared/events/sync-run.ts';
import { inspectFile } from '#shared/source-records/inspect-file.ts';
import { type Mapping, parseMapping } from '#shared/source-records/mapping.ts';
import { UnreadableFile } from '#shared/source-records/unreadable-file.ts';

export interface ImportFile {
  /** As the caller wrote it. */
  readonly path: string;
  readonly format: 'csv' | 'ndjson';
}

export interface SkippedFile {
  readonly file: string;
  readonly object: string;
  readonly reason: string;
}

/** The header and the first rows stand in it; a header alone may have 512 KiB. */
const looked = 1024 * 1024;

const ndjson = new Set(['.ndjson', '.jsonl']);

/** Throws for files that are not there, are no files or may not be read; names all of them. */
export async function checkFiles(paths: readonly string[]): Promise<ImportFile[]> {
  const problems: string[] = [];
  const files: ImportFile[] = [];
  for (const each of paths) {
    const problem = await problemOfFile(each);
    if (problem) problems.push(`${each}: ${problem}`);
    else files.push({ path: each, format: ndjson.has(path.extname(each).toLowerCase()) ? 'ndjson' : 'csv' });
  }
  if (problems.length > 0) throw new CliError(`Nothing was imported.\n  ${problems.join('\n  ')}`);
  return files;
}

async function problemOfFile(file: string): Promise<string | null> {
  try {
    const handle = await open(file, 'r');
    try {
      const stats = await handle.stat();
      if (stats.isDirectory()) return 'is a folder; name the files in it, such as folder/*.csv';
      // It is read twice: first for its digest.
      if (!stats.isFile()) return 'is no regular file; write its content to a file first';
      return null;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
    if (code === 'EISDIR') return 'is a folder; name the files in it, such as folder/*.csv';
    return code === 'EACCES' || code === 'EPERM' ? 'may not be read by this user' : `cannot be read (${code})`;
  }
}

/** --map and the mapping file as one mapping. */
export async function readMapping(
  args: readonly string[],
  file: string | undefined,
  read: (file: string) => Promise<string>,
): Promise<Mapping> {
  let content: unknown = {};
  if (file !== undefined) {
    try {
      content = JSON.parse(await read(file));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new CliError(
        `The mapping file ${file} ${code ? `cannot be read (${code})` : `is no JSON (${message})`}. Expected an object such as { "kind": "Type__c" }.`,
      );
    }
  }
  const parsed = parseMapping(args, content);
  if (parsed.outcome === 'invalid') throw new CliError(parsed.problems.join('\n  '));
  return parsed.mapping;
}

export interface ChosenSource {
  readonly source: string;
  /** It was concluded from the name of a file, which the caller should know: it is part of what identifies a record. */
  readonly concluded: boolean;
}

/** The system of record. One run has one. */
export function sourceOf(files: readonly ImportFile[], given: string | undefined): ChosenSource {
  if (given !== undefined) {
    const source = sourceName.safeParse(given);
    if (!source.success) throw new CliError(`--source ${given}: ${source.error.issues[0]?.message}.`);
    return { source: source.data, concluded: false };
  }
  const lines = files.filter(({ format }) => format === 'ndjson');
  if (lines.length === 0) return { source: 'salesforce', concluded: false };
  const [only] = lines;
  if (files.length > 1 || !only)
    throw new CliError(
      `Say which system the records are of, with --source: it identifies them together with their ids, and NDJSON files do not tell.\n  Such as --source ndjson:crm, or --source salesforce. Files of different systems are imported one by one.`,
    );
  const name = path
    .basename(only.path, path.extname(only.path))
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  if (name === '')
    throw new CliError(`The name of ${only.path} makes no source. Give one, such as --source ndjson:crm.`);
  return { source: `ndjson:${name}`, concluded: true };
}

export interface LookOptions {
  readonly object?: string | undefined;
  readonly mapping: Mapping;
}

/** Tells what each file holds by its beginning. Throws where one is not clear, cannot be understood, or lacks a mapped column. */
export async function lookAtFiles(
  files: readonly ImportFile[],
  { object, mapping }: LookOptions,
): Promise<{ readonly parts: readonly ImportPart[]; readonly skipped: readonly SkippedFile[] }> {
  const parts: ImportPart[] = [];
  const skipped: SkippedFile[] = [];
  const problems: string[] = [];
  for (const { path: file, format } of files) {
    const part = { label: file, format, bytes: () => createReadStream(file) };
    try {
      const beginning = createReadStream(file, { end: looked - 1 });
      const { detected } = await inspectFile(beginning, {
        format,
        object: format === 'csv' ? object : undefined,
        mapping,
        fileName: file,
      });
      if (detected.outcome === 'ambiguous') problems.push(detected.reason);
      else if (detected.outcome === 'skipped') skipped.push({ file, object: detected.object, reason: detected.reason });
      else parts.push({ ...part, object: format === 'csv' ? detected.object : null });
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      problems.push(`${file}: ${error.message}`);
    }
  }
  if (problems.length > 0) throw new CliError(`Nothing was imported.\n  ${problems.join('\n  ')}`);
  return { parts, skipped };
}
