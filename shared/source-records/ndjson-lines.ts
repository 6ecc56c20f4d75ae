/** Lines of an NDJSON file, streamed in bounded memory; a line of more than 512 KiB is a problem of its own. */
import { isUtf8 } from 'node:buffer';
import { byteBlocks, MAX_RECORD_BYTES, startOfText } from './byte-blocks.ts';
import { UnreadableFile } from './unreadable-file.ts';

export interface Line {
  readonly line: number;
  /** Null where the line is rejected for `problem`. */
  readonly text: string | null;
  readonly problem: string;
}

const LF = 0x0a;
const TOO_LONG = `line is lost: it is longer than ${MAX_RECORD_BYTES / 1024} KiB`;
const NOT_UTF8 = 'the line is not UTF-8: save the file as UTF-8 and import it again';

function lineOf(bytes: Buffer, line: number): Line | null {
  if (bytes.length > MAX_RECORD_BYTES) return { line, text: null, problem: TOO_LONG };
  if (!isUtf8(bytes)) return { line, text: null, problem: NOT_UTF8 };
  const text = bytes.toString('utf8').trim();
  return text === '' ? null : { line, text, problem: '' };
}

/** Throws UnreadableFile for a file that is empty or no NDJSON at all. Blank lines are skipped. */
export async function* ndjsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Line[], void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  let line = 1;
  let atStart = true;
  let tooLong = false;
  let any = false;
  for await (const block of byteBlocks(body)) {
    held = held.length > 0 ? Buffer.concat([held, block]) : block;
    if (atStart) held = startOfText(held);
    if (atStart && /^\s*\[/.test(held.toString('latin1', 0, 64)))
      throw new UnreadableFile(
        'The file is one JSON array. Write one JSON object on each line, without brackets and commas around them.',
      );
    atStart = false;
    const lines: Line[] = [];
    let start = 0;
    for (let lf = held.indexOf(LF); lf >= 0; lf = held.indexOf(LF, start)) {
      const found = tooLong ? { line, text: null, problem: TOO_LONG } : lineOf(held.subarray(start, lf), line);
      if (found) lines.push(found);
      tooLong = false;
      start = lf + 1;
      line++;
    }
    held = held.subarray(start);
    if (held.length > MAX_RECORD_BYTES) {
      tooLong = true;
      held = Buffer.alloc(0);
    }
    any ||= lines.length > 0;
    if (lines.length > 0) yield lines;
  }
  const last = tooLong ? { line, text: null, problem: TOO_LONG } : lineOf(held, line);
  if (last) yield [last];
  else if (!any) throw new UnreadableFile('The file is empty. Each line must hold one JSON object.');
}
