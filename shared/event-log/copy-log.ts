/**
 * Copies one event log into another: ids, types, data and metadata as they are, each stream at its revisions, the events
 * of each slot in their order. Positions are the new log's own.
 *
 * 1. Compare: the target must be empty or a beginning of the source; nothing is written before that is known.
 * 2. Copy what is missing until the end of the source, which may grow meanwhile.
 * 3. Compare again, everything, by count and digest.
 *
 * It keeps no record of its own. What was cut, at whatever point, leaves a beginning of the source, and the next run
 * goes on from there.
 */
import { slotChains } from '#shared/event-log/copy-log-chains.ts';
import { compareLogs, type LogReader, LogsDiffer, type Standing } from '#shared/event-log/copy-log-compare.ts';
import { pagesOf } from '#shared/event-log/copy-log-pages.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { fractionOf, type Position } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

const mostRounds = 20;

export interface CopyProgress {
  readonly phase: 'comparing' | 'copying' | 'verifying';
  /** Read of the log that is being read; in copying, that the target holds. */
  readonly events: number;
  /** Of the phase, from 0 to 1; for the eye only. */
  readonly fraction: number;
}

export interface CopyOptions {
  /** A log, or what was kept of one. */
  readonly source: LogReader & Pick<EventLog, 'id'>;
  readonly target: EventLog;
  /** Ends it between two appends: it rejects with the signal's reason when nothing is under way any more. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CopyProgress) => void;
}

export interface CopyResult {
  /** Events that the target held before. */
  readonly before: number;
  readonly copied: number;
  /** Events that both hold now, and the digest of either. */
  readonly events: number;
  readonly digest: string;
  /** Whether the source has got events since: something still writes there. */
  readonly growing: boolean;
}

/** What was copied is not what is there: something else wrote into the target, or a log is at fault. */
export class CopyUnverified extends Error {
  override readonly name = 'CopyUnverified';
}

/** Throws LogsDiffer, before anything is written, where the target is no beginning of the source. */
export async function copyLog(options: CopyOptions): Promise<CopyResult> {
  const { source, target, signal } = options;
  if (source.id === target.id) throw new Error(`source and target are the same log (${source.id})`);
  const before = await compareLogs({ source, target, whole: false, signal, tell: tellOf(options, 'comparing') });
  const { copied, reached } = await copyMissing(options, before);
  const after = await verify(options, reached);
  return {
    before: before.events,
    copied,
    events: after.events,
    digest: after.digest,
    growing: await hasEvents(source, reached, signal),
  };
}

/** Two readings, one after the other, as one fraction. */
export const tellOf =
  ({ onProgress }: Pick<CopyOptions, 'onProgress'>, phase: CopyProgress['phase']) =>
  (reading: 'target' | 'source', events: number, fraction: number) =>
    onProgress({ phase, events, fraction: (reading === 'target' ? fraction : 1 + fraction) / 2 });

async function copyMissing(
  { source, target, signal, onProgress }: CopyOptions,
  { events: present, after, skip }: Standing,
): Promise<{ copied: number; reached: Position }> {
  const head = await source.head();
  const stillThere = [...skip];
  let reached = after;
  let read = 0;
  let copied = 0;
  const tell = () => {
    // What was read waits to be written, so reading alone would look too good.
    const fraction = ((fractionOf(reached, head) ?? 1) * (present + copied)) / Math.max(1, present + read);
    onProgress({ phase: 'copying', events: present + copied, fraction });
  };
  const chains = slotChains({
    target,
    signal,
    written(events) {
      copied += events;
      tell();
    },
  });
  async function readOn(): Promise<void> {
    for await (const { events, position } of pagesOf(source, reached, signal)) {
      for (const event of events) {
        const slot = slotOf(event.metadata.tenant);
        const there = stillThere[slot] as number;
        if (there > 0) {
          stillThere[slot] = there - 1;
          continue;
        }
        read++;
        await chains.put(slot, event);
      }
      reached = position;
      tell();
    }
  }
  // What came while the last events were written is copied too; a source that never rests is left, and that is told.
  for (let round = 0, before = -1; round < mostRounds && read > before; round++) {
    before = read;
    const [reading] = await Promise.allSettled([readOn()]);
    // What was read is written also where reading failed; where writing failed, that is the error to tell.
    await chains.end();
    if (reading.status === 'rejected') throw reading.reason;
  }
  return { copied, reached };
}

async function verify(options: CopyOptions, upTo: Position): Promise<Standing> {
  const { source, target, signal } = options;
  try {
    const standing = await compareLogs({
      source,
      target,
      whole: true,
      upTo,
      signal,
      tell: tellOf(options, 'verifying'),
    });
    if (standing.missing > 0)
      throw new CopyUnverified(`The target lacks ${standing.missing} events although it acknowledged them.`);
    return standing;
  } catch (error) {
    if (error instanceof LogsDiffer) throw new CopyUnverified(error.message, { cause: error });
    throw error;
  }
}

async function hasEvents(log: LogReader, after: Position, signal: AbortSignal): Promise<boolean> {
  for await (const { events } of pagesOf(log, after, signal)) if (events.length > 0) return true;
  return false;
}
