/**
 * How one log stands to another: whether it holds, in each slot, the same events in the same order, perhaps fewer. Both
 * are read once, page by page, and compared by count and digest; only where they differ they are read again, side by
 * side, to say where.
 */
import { eventText, type LogDigest, logDigest } from '#shared/event-log/copy-log-digest.ts';
import { pagesOf } from '#shared/event-log/copy-log-pages.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { fractionOf, type Position } from '#shared/event-log/position.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';

export type LogReader = Pick<EventLog, 'readAll' | 'head' | 'start'>;

export interface Standing {
  /** Of the target. */
  readonly events: number;
  readonly digest: string;
  /** Events that the source has up to `upTo` and the target lacks; only counted where the source was read whole. */
  readonly missing: number;
  /** Nothing before this position is missing; after it the target has so many events more of each slot. */
  readonly after: Position;
  readonly skip: readonly number[];
}

/** The target is no beginning of the source. The message says where they part; it holds no payload. */
export class LogsDiffer extends Error {
  override readonly name = 'LogsDiffer';
  /** The first event of the target that stands where the source has another one, or none. */
  readonly event: RecordedEvent | null;
  /** Whether the source has none in its place: the target was written to after it was copied. */
  readonly beyond: boolean;
  constructor(message: string, event: RecordedEvent | null, beyond: boolean) {
    super(message);
    this.event = event;
    this.beyond = beyond;
  }
}

export interface CompareOptions {
  readonly source: LogReader;
  readonly target: LogReader;
  /** Read the source to its end, or to a position, also beyond what the target holds. */
  readonly whole: boolean;
  readonly upTo?: Position;
  readonly signal: AbortSignal;
  readonly tell: (reading: 'target' | 'source', events: number, fraction: number) => void;
}

/** Throws LogsDiffer where the target is no beginning of the source. */
export async function compareLogs({ source, target, whole, upTo, signal, tell }: CompareOptions): Promise<Standing> {
  const theirs = logDigest();
  const targetHead = await target.head();
  for await (const { events, position } of pagesOf(target, target.start, signal)) {
    for (const event of events) theirs.add(slotOf(event.metadata.tenant), event);
    tell('target', theirs.total(), fractionOf(position, targetHead) ?? 1);
  }

  const ours = logDigest();
  const wanted = theirs.total();
  const sourceHead = upTo ?? (await source.head());
  let missing = 0;
  let read = 0;
  let after = source.start;
  let skip = allSlots.map(theirs.count);
  if (wanted > 0 || whole)
    for await (const { events, position } of pagesOf(source, source.start, signal)) {
      for (const event of events) {
        if (upTo !== undefined && event.position > upTo) break;
        read++;
        const slot = slotOf(event.metadata.tenant);
        if (ours.count(slot) < theirs.count(slot)) ours.add(slot, event);
        else missing++;
      }
      tell('source', read, whole ? (fractionOf(position, sourceHead) ?? 1) : ours.total() / wanted);
      if (missing === 0) {
        after = position;
        skip = allSlots.map((slot) => theirs.count(slot) - ours.count(slot));
      }
      if (whole ? upTo !== undefined && position >= upTo : ours.total() === wanted) break;
    }

  await refuseDifferent(source, target, ours, theirs, signal);
  return { events: wanted, digest: theirs.ofAll(), missing, after, skip };
}

async function refuseDifferent(
  source: LogReader,
  target: LogReader,
  ours: LogDigest,
  theirs: LogDigest,
  signal: AbortSignal,
): Promise<void> {
  const different = allSlots.filter((slot) => !ours.agrees(slot, theirs));
  const [slot] = different;
  if (slot === undefined) return;
  const first = await firstDifference(source, target, slot, signal);
  const where = `slot ${slot}${different.length === 1 ? '' : ` (the first of ${different.length} that differ)`}`;
  if (first === null) throw new LogsDiffer(`The logs changed in ${where} while they were read.`, null, false);
  const { place, ours: expected, theirs: found } = first;
  if (expected === null)
    throw new LogsDiffer(
      `In ${where} the target holds ${theirs.count(slot)} events, the source ${place - 1}. The first that the source lacks is ${nameOf(found)}.`,
      found,
      true,
    );
  throw new LogsDiffer(
    `In ${where} event ${place} differs: the source has ${nameOf(expected)}, the target ${sameName(expected, found) ? `the same with ${contentDifference(expected, found)}` : nameOf(found)}.`,
    found,
    false,
  );
}

/** Reads the two logs side by side. Null: the target is a beginning of the source now. */
async function firstDifference(
  source: LogReader,
  target: LogReader,
  slot: number,
  signal: AbortSignal,
): Promise<{ place: number; ours: RecordedEvent | null; theirs: RecordedEvent } | null> {
  const events = ofSlot(source, slot, signal);
  let place = 0;
  for await (const theirs of ofSlot(target, slot, signal)) {
    place++;
    const ours = (await events.next()).value ?? null;
    if (ours === null || eventText(ours) !== eventText(theirs)) return { place, ours, theirs };
  }
  return null;
}

async function* ofSlot(log: LogReader, slot: number, signal: AbortSignal): AsyncGenerator<RecordedEvent, undefined> {
  for await (const { events } of pagesOf(log, log.start, signal))
    for (const event of events) if (slotOf(event.metadata.tenant) === slot) yield event;
}

const nameOf = ({ type, id, stream, revision, metadata }: RecordedEvent): string =>
  `${type} ${id} (${stream}, revision ${revision}, tenant ${metadata.tenant}, recorded at ${metadata.recordedAt})`;

const sameName = (a: RecordedEvent, b: RecordedEvent): boolean => nameOf(a) === nameOf(b);

const contentDifference = (a: RecordedEvent, b: RecordedEvent): string =>
  [
    ...(JSON.stringify(a.data) === JSON.stringify(b.data) ? [] : ['other data']),
    ...(JSON.stringify(a.metadata) === JSON.stringify(b.metadata) ? [] : ['other metadata']),
  ].join(' and ');
