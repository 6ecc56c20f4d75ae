/**
 * Where the records of CSV text end, and their fields. Counting quotes is enough to find the ends: a line feed after an
 * even number of quotes ends a record. csv-parse reads the fields.
 *
 * Records without any quote are split at the delimiter directly, by definition the same result: csv-parse looks at each
 * byte in JavaScript and does 20 MB/s, which is 55,000 tasks a second before anything else happens.
 */
import { isUtf8 } from 'node:buffer';
import { parse } from 'csv-parse/sync';
import { MAX_RECORD_BYTES } from './byte-blocks.ts';

export type Delimiter = ',' | ';' | '\t';

/** A record within a buffer. */
export interface Span {
  readonly start: number;
  /** Without the line feed. */
  readonly end: number;
  readonly line: number;
  readonly lines: number;
  readonly quoted: boolean;
}

interface Found {
  readonly spans: readonly Span[];
  /** Where the first record begins that is not in `spans`, and its line. */
  readonly rest: number;
  readonly line: number;
  /** What is left is unfinished or too long; false where it merely exceeds `most`. */
  readonly stuck: boolean;
  /** What is left has an open quote. */
  readonly open: boolean;
}

export const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const NEWLINE: Buffer = Buffer.from('\n');

/** Finds at most `most` records from the start of `bytes`; stops at one that is unfinished or too long. */
export function findRecords(bytes: Buffer, firstLine: number, atEnd: boolean, most: number): Found {
  const spans: Span[] = [];
  let start = 0;
  let line = firstLine;
  let quotes = 0;
  let breaks = 0;
  const finish = (end: number): void => {
    const blank = end - start <= (bytes[end - 1] === CR ? 1 : 0);
    if (!blank) spans.push({ start, end, line, lines: breaks + 1, quoted: quotes > 0 });
  };
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) quotes++;
    if (i - start > MAX_RECORD_BYTES) break;
    if (byte !== LF) continue;
    if ((quotes & 1) === 1) {
      breaks++;
      continue;
    }
    finish(i);
    start = i + 1;
    line += breaks + 1;
    quotes = 0;
    breaks = 0;
    if (spans.length >= most) return { spans, rest: start, line, stuck: false, open: false };
  }
  const open = (quotes & 1) === 1;
  if (atEnd && !open && start < bytes.length && bytes.length - start <= MAX_RECORD_BYTES) {
    finish(bytes.length);
    return { spans, rest: bytes.length, line: line + 1, stuck: false, open };
  }
  return { spans, rest: start, line, stuck: start < bytes.length, open };
}

/** Null: the quotes are wrong. csv-parse's own messages quote the content and are not passed on. */
export function parseQuoted(
  bytes: Buffer,
  delimiter: Delimiter,
  encoding: 'utf8' | 'latin1' = 'utf8',
): string[][] | null {
  try {
    return parse(bytes, { delimiter, encoding, record_delimiter: ['\r\n', '\n'], relax_column_count: true });
  } catch {
    return null;
  }
}

const textOf = (bytes: Buffer, { start, end }: Span): string =>
  bytes.toString('utf8', start, bytes[end - 1] === CR ? end - 1 : end);

/** The fields of each record; null where the quotes are wrong. */
export function parseSpans(bytes: Buffer, spans: readonly Span[], delimiter: Delimiter): (readonly string[] | null)[] {
  const quoted = spans.filter((span) => span.quoted);
  const pieces = quoted.flatMap((span) => [bytes.subarray(span.start, span.end), NEWLINE]);
  let parsed: (string[] | null)[] | null = quoted.length > 0 ? parseQuoted(Buffer.concat(pieces), delimiter) : [];
  if (parsed === null && quoted.length === 1) parsed = [null];
  if (parsed?.length !== quoted.length)
    parsed = quoted.map((span) => parseQuoted(bytes.subarray(span.start, span.end), delimiter)?.[0] ?? null);
  let next = 0;
  return spans.map((span) => (span.quoted ? (parsed[next++] ?? null) : textOf(bytes, span).split(delimiter)));
}

/** Says where the first byte stands that is not UTF-8. */
export function encodingProblem(bytes: Buffer, span: Span, header: readonly string[], delimiter: Delimiter): string {
  const raw = bytes.subarray(span.start, span.end);
  let line = span.line;
  for (let from = 0; from < raw.length; line++) {
    const lf = raw.indexOf(LF, from);
    const end = lf < 0 ? raw.length : lf + 1;
    if (!isUtf8(raw.subarray(from, end))) break;
    from = end;
  }
  const fields = parseQuoted(raw, delimiter, 'latin1')?.[0] ?? [];
  const at = fields.findIndex((field) => !isUtf8(Buffer.from(field, 'latin1')));
  return `line ${line}, column ${header[at] ?? '(unknown)'}: the text is not UTF-8. Save the file as UTF-8 (in Excel: "CSV UTF-8") and import it again`;
}
