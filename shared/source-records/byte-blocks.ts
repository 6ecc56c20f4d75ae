/** What CSV and NDJSON have in common: bytes in blocks, and files that are not text at all. */
import { UnreadableFile } from './unreadable-file.ts';

/** A record is never longer; what is longer is rejected, so that one open quote cannot pull a whole file into memory. */
export const MAX_RECORD_BYTES = 512 * 1024;

/** Small chunks are joined up to here: joining every chunk to a long unfinished record would copy it each time. */
const BLOCK_BYTES = 64 * 1024;

export async function* byteBlocks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size < BLOCK_BYTES) continue;
    yield Buffer.concat(chunks, size);
    chunks = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(chunks, size);
}

const startsWith = (bytes: Buffer, ...start: number[]): boolean => start.every((byte, i) => bytes[i] === byte);

/** Drops a UTF-8 byte order mark; throws UnreadableFile for other encodings and for archives. */
export function startOfText(bytes: Buffer): Buffer {
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return bytes.subarray(3);
  if (startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff))
    throw new UnreadableFile('The file is UTF-16. Save it as UTF-8 (in Excel: "CSV UTF-8") and import it again.');
  if (startsWith(bytes, 0x50, 0x4b, 0x03, 0x04))
    throw new UnreadableFile(
      'The file is a ZIP archive or an Excel workbook. Unpack it, or save the sheet as "CSV UTF-8".',
    );
  if (startsWith(bytes, 0x1f, 0x8b)) throw new UnreadableFile('The file is compressed with gzip. Unpack it first.');
  return bytes;
}
