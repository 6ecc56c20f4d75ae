/**
 * Lines of JSON in files of bounded size, each compressed, and named by what is in it. Bounded, so that one fits into
 * memory on both sides and into one request to a store; named by its digest, so that a file that was written before a
 * backup was cut can be trusted when it goes on.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { digestOf, hexOf } from '#shared/backup/digest.ts';
import type { BackupFile } from '#shared/backup/manifest.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import type { BackupStore } from '#shared/backup/store.ts';

/** Of text before compression; a part ends with the line that reaches it. */
export const maxPartBytes = 8 * 1024 * 1024;
/** One more line of the largest size, and then some: what decompresses to more is no part of ours. */
const maxReadBytes = 4 * maxPartBytes;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** `name` without ending; the number makes names sort as they were written. */
export async function writePart(
  store: BackupStore,
  name: string,
  number: number,
  lines: readonly string[],
): Promise<BackupFile> {
  const bytes = await compress(lines.map((line) => `${line}\n`).join(''));
  const digest = digestOf(bytes);
  const file = {
    name: `${name}-${`${number}`.padStart(8, '0')}-${hexOf(digest)}.ndjson.gz`,
    bytes: bytes.length,
    digest,
  };
  await store.write(file.name, bytes);
  return file;
}

/** Throws BackupRefused, which names the file, where it is missing or not as it was written. */
export async function readWhole(store: BackupStore, { name, bytes, digest }: BackupFile): Promise<Buffer> {
  const content = await store.read(name);
  if (content === null) throw new BackupRefused(`${name} is missing. Use another copy of the backup.`);
  if (content.length !== bytes || digestOf(content) !== digest)
    throw new BackupRefused(`${name} is not as it was written: its digest differs. Use another copy of the backup.`);
  return content;
}

export async function readLines(store: BackupStore, file: BackupFile): Promise<string[]> {
  const content = await readWhole(store, file);
  try {
    const text = (await decompress(content, { maxOutputLength: maxReadBytes })).toString('utf8');
    if (!text.endsWith('\n')) throw new Error('it ends within a line');
    return text.slice(0, -1).split('\n');
  } catch (error) {
    throw new BackupRefused(`${file.name} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}
