/** What the double keeps of an event, and how many bytes the real server's log takes for it: positions are offsets in that log. */

/** An event as a client proposes it. Ids are lower-case UUIDs. */
export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  /** As the client said; decides the content type in answers. */
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** An event in the log. */
export interface StoredEvent extends ProposedEvent {
  readonly stream: string;
  /** Starts at 0. The largest 64-bit number for a tombstone. */
  readonly revision: bigint;
  /** Offset of its record in the log; commit and prepare position are the same in every recording. */
  readonly position: number;
  /** Ticks of 100 ns since 1970. */
  readonly created: bigint;
}

/** Revision of the event that a tombstone is. */
export const tombstoneRevision = 9_223_372_036_854_775_807n;

/** The server notes each start of a node in this stream, and shows it to nobody who reads $all. */
export const epochStream = '$epoch-information';

/** Metadata streams are named after the stream that they describe. */
export const metadataStreamOf = (stream: string): string => `$$${stream}`;

/** True for a stream that holds another one's metadata. */
export const isMetadataStream = (stream: string): boolean => stream.startsWith('$$');

/** Ticks of 100 ns for a time in milliseconds. */
export const ticksOf = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 10_000));

/** Bytes that the limit for one append counts. */
export const sizeOf = (event: ProposedEvent): number =>
  Buffer.byteLength(event.type) + event.data.length + event.metadata.length;

/** A record is 90 bytes, and its parts: found by subtracting neighbouring positions of the recordings. */
const recordOverhead = 90;

/** Bytes of a record in the log. An append without events writes one too, with nothing but the stream's name. */
export function recordLength(stream: string, event?: ProposedEvent): number {
  const name = Buffer.byteLength(stream);
  return recordOverhead + name + lengthPrefix(name) + (event ? sizeOf(event) + lengthPrefix(event.type.length) : 0);
}

/** Texts carry their length in groups of 7 bits; the first group is part of the overhead. */
function lengthPrefix(length: number): number {
  return length < 128 ? 0 : length < 16_384 ? 1 : 2;
}
