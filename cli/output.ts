/** Standard output is for what was asked; whatever else there is to say goes to standard error. */
import { once } from 'node:events';

/** Waits where the reader is slower than we are. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON document; for eyes where it is a terminal. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));
}

/** One line of JSON lines. */
export function printJsonLine(value: unknown): void {
  print(JSON.stringify(value));
}

export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Text of others on one line: what a terminal would take for a command or another direction of writing is left out. */
export const plain = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');

export const count = (value: number): string => value.toLocaleString('en-US');

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with three digits or so: 4.2 MB. */
export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** An instant as people read it, in UTC and to the minute. */
export const minute = (instant: string | null): string =>
  instant === null ? '' : instant.slice(0, 16).replace('T', ' ');

/** What an answer reflects. */
export const asOfText = (asOf: { readonly time: string | null }): string =>
  asOf.time === null ? 'as of the beginning' : `as of ${asOf.time}`;
