/** A CSV file as a header and a stream of rows. */
import { isUtf8 } from 'node:buffer';
import { byteBlocks, MAX_RECORD_BYTES, startOfText } from './byte-blocks.ts';
import { LOOKS_LIKE_DATA, looksLikeData } from './column-plan.ts';
import { type Row, readRows } from './csv-rows.ts';
import { type Delimiter, findRecords, LF, parseQuoted, type Span } from './csv-spans.ts';
import { UnreadableFile } from './unreadable-file.ts';

export interface CsvTable {
  readonly header: readonly string[];
  /** Rows in the order of the file, a block at a time. To be read once. */
  readonly rows: AsyncGenerator<readonly Row[], void, undefined>;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** A comma, unless the header has none and has semicolons or tabs, as spreadsheets of some countries write them. */
function delimiterOf(header: string): Delimiter {
  if (header.includes(',')) return ',';
  return header.includes(';') ? ';' : header.includes('\t') ? '\t' : ',';
}

function checkHeader(header: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of header) {
    const key = name.toLowerCase();
    if (name !== '' && seen.has(key)) throw new UnreadableFile(twice(header, name));
    seen.add(key);
  }
}
const twice = (header: readonly string[], name: string): string =>
  looksLikeData(header)
    ? LOOKS_LIKE_DATA
    : `The header names the column ${name} twice. Rename or remove one of the two and import the file again.`;

/** Reads the header; throws UnreadableFile where the file has none or is not CSV in UTF-8. */
export async function openCsv(body: AsyncIterable<Uint8Array>): Promise<CsvTable> {
  const blocks = byteBlocks(body);
  let held: Buffer = EMPTY;
  let atEnd = false;
  while (true) {
    const { value, done } = await blocks.next();
    atEnd = done === true;
    if (value) held = Buffer.concat([held, value]);
    if (atEnd || held.length > MAX_RECORD_BYTES || held.includes(LF)) {
      const text = startOfText(held);
      const found = findRecords(text, 1, atEnd, 1);
      const span = found.spans[0];
      if (span) return table(text, span, blocks);
      if (atEnd || text.length > MAX_RECORD_BYTES) break;
    }
  }
  if (held.length === 0 || startOfText(held).toString('latin1').trim() === '')
    throw new UnreadableFile('The file is empty. Export it again; the first line must hold the names of the columns.');
  throw new UnreadableFile(
    'The first line is no header: a quotation mark in it is not closed, or lines do not end with a line feed. Save the file as "CSV UTF-8".',
  );
}

function table(text: Buffer, span: Span, blocks: AsyncGenerator<Buffer, void, undefined>): CsvTable {
  const bytes = text.subarray(span.start, span.end);
  if (bytes.includes(0))
    throw new UnreadableFile('The file is not UTF-8 but probably UTF-16. Save it as UTF-8 (in Excel: "CSV UTF-8").');
  if (!isUtf8(bytes))
    throw new UnreadableFile(
      'The header is not UTF-8. Save the file as UTF-8 (in Excel: "CSV UTF-8") and import it again.',
    );
  if (/\r(?!$)/.test(bytes.toString('latin1')) && !span.quoted)
    throw new UnreadableFile(
      'Lines end with a carriage return alone. Save the file as "CSV UTF-8", not as "CSV (Macintosh)".',
    );
  const delimiter = delimiterOf(bytes.toString('utf8'));
  const fields = parseQuoted(bytes, delimiter)?.[0];
  if (!fields)
    throw new UnreadableFile(
      'The quotation marks of the header are not closed. The first line must hold the names of the columns.',
    );
  const header = fields.map((name) => name.trim());
  checkHeader(header);
  const next = Math.min(span.end + 1, text.length);
  return { header, rows: readRows(text.subarray(next), span.line + span.lines, blocks, header, delimiter) };
}
