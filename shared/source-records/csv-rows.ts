/**
 * CSV text as rows, streamed in bounded memory. One broken record must not stop the run, and must not take its
 * neighbours with it.
 *
 * Where a quote is never closed, or a record exceeds 512 KiB, its first line is lost and reading goes on with the next
 * line. Lines which then make no row (the rest of a broken text) belong to the same loss: one reject names them all.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_RECORD_BYTES } from './byte-blocks.ts';
import { type Delimiter, encodingProblem, findRecords, LF, parseSpans, type Span } from './csv-spans.ts';

export interface Row {
  readonly line: number;
  /** As many as the header has; null where the row is rejected for `problem`. */
  readonly fields: readonly string[] | null;
  readonly problem: string;
}

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Records looked at together. After a broken one it is one record, doubled with each step that goes well: else a block
 * full of broken records would be read again for each of them.
 */
const MAX_TOGETHER = 1024;

function lossReason(from: number, to: number, why: string): string {
  const lost = from === to ? `line ${from} is lost` : `lines ${from} to ${to} are lost`;
  return `${lost}: ${why}`;
}
const BAD_QUOTES = 'a quotation mark is not closed or not doubled; within quoted text write " as ""';
const TOO_LONG = `the record is longer than ${MAX_RECORD_BYTES / 1024} KiB`;
const OPEN_TOO_LONG = `${BAD_QUOTES} (or ${TOO_LONG})`;

export async function* readRows(
  first: Buffer,
  firstLine: number,
  blocks: AsyncGenerator<Buffer, void, undefined>,
  header: readonly string[],
  delimiter: Delimiter,
): AsyncGenerator<readonly Row[], void, undefined> {
  let held = first;
  let line = firstLine;
  let atEnd = false;
  let skippingLine = false;
  let loss: { from: number; to: number; why: string } | null = null;
  let rows: Row[] = [];
  let together = MAX_TOGETHER;

  const lose = (from: number, to: number, why: string): void => {
    loss = loss ? { ...loss, to } : { from, to, why };
  };
  const endLoss = (): void => {
    if (loss) rows.push({ line: loss.from, fields: null, problem: lossReason(loss.from, loss.to, loss.why) });
    loss = null;
  };

  /** Gives the offset and line to read again from where a record of several lines has wrong quotes, else null. */
  const take = (spans: readonly Span[]): { offset: number; line: number } | null => {
    const last = spans.at(-1);
    const clean = !last || isUtf8(held.subarray(spans[0]?.start, last.end));
    const good = clean ? spans : spans.filter((span) => isUtf8(held.subarray(span.start, span.end)));
    const parsed = parseSpans(held, good, delimiter);
    let next = 0;
    for (const span of spans) {
      if (!clean && good[next] !== span) {
        endLoss();
        rows.push({ line: span.line, fields: null, problem: encodingProblem(held, span, header, delimiter) });
        continue;
      }
      const fields = parsed[next++] ?? null;
      if (!fields) {
        lose(span.line, span.line, BAD_QUOTES);
        if (span.lines > 1) return { offset: held.indexOf(LF, span.start) + 1, line: span.line + 1 };
      } else if (fields.length !== header.length) {
        if (loss) lose(span.line, span.line + span.lines - 1, BAD_QUOTES);
        else
          rows.push({
            line: span.line,
            fields: null,
            problem: `the row has ${fields.length} columns, the header has ${header.length}`,
          });
      } else {
        if (loss) endLoss();
        rows.push({ line: span.line, fields, problem: '' });
      }
    }
    return null;
  };

  /** Takes all that `held` has; leaves an unfinished record of at most 512 KiB. */
  const drain = (): void => {
    while (held.length > 0) {
      const found = findRecords(held, line, atEnd, together);
      const again = take(found.spans);
      line = again?.line ?? found.line;
      held = held.subarray(again?.offset ?? found.rest);
      together = again ? 1 : Math.min(together * 2, MAX_TOGETHER);
      if (again || !found.stuck) continue;
      const tooLong = held.length > MAX_RECORD_BYTES;
      if (!tooLong && !atEnd) return;
      lose(line, line, tooLong ? (found.open ? OPEN_TOO_LONG : TOO_LONG) : BAD_QUOTES);
      const lf = held.indexOf(LF);
      skippingLine = lf < 0;
      held = lf < 0 ? EMPTY : held.subarray(lf + 1);
      if (lf >= 0) line++;
    }
  };

  while (true) {
    drain();
    if (atEnd) endLoss();
    if (rows.length > 0) yield rows;
    rows = [];
    if (atEnd) return;
    const { value, done } = await blocks.next();
    if (done) atEnd = true;
    else if (!skippingLine) held = held.length > 0 ? Buffer.concat([held, value]) : value;
    else {
      const lf = value.indexOf(LF);
      skippingLine = lf < 0;
      held = lf < 0 ? EMPTY : value.subarray(lf + 1);
      if (lf >= 0) line++;
    }
  }
}
