/**
 * Writes events into a log, up to 64 chains side by side, one for each slot. Within a slot the next append leaves when
 * the one before has been answered, so the order of each tenant's events is kept whatever the log does with appends
 * that are under way together. Consecutive events of one stream become one append.
 *
 * State: what waits, by slot; which slots are at work; the first failure, after which nothing is begun any more.
 */
import { serialiseEvent } from '#shared/event-log/event-bytes.ts';
import { type EventLog, maxAppendBytes, type NewEvent, type RecordedEvent } from '#shared/event-log/event-log.ts';
import { allSlots } from '#shared/transport/slot.ts';

/** Of events read and not yet written. It lets slots get ahead of a busy one, and bounds the memory. */
const maxHeldBytes = 8 * 1024 * 1024;
/** What an event takes beside its text. */
const eventOverhead = 512;
const maxRunEvents = 500;

/** The target does not hold what it was seen to hold, or the source lacks a part of a stream. */
export class CopyConflict extends Error {
  override readonly name = 'CopyConflict';
}

export interface SlotChains {
  /** Resolves when there is room for more. Rejects with the first failure. */
  put(slot: number, event: RecordedEvent): Promise<void>;
  /** Resolves when everything is written; rejects with the first failure, or the signal's reason, when nothing is under way any more. */
  end(): Promise<void>;
}

interface Waiting {
  readonly event: RecordedEvent;
  readonly bytes: number;
}

export function slotChains({
  target,
  signal,
  written,
}: {
  readonly target: Pick<EventLog, 'append'>;
  readonly signal: AbortSignal;
  readonly written: (events: number) => void;
}): SlotChains {
  const waiting = allSlots.map((): Waiting[] => []);
  const atWork = new Map<number, Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  let held = 0;
  let room = Promise.withResolvers<void>();

  async function work(slot: number, queue: Waiting[]): Promise<void> {
    while (queue.length > 0 && failure === null && !signal.aborted) {
      const run = queue.splice(0, runLength(queue));
      try {
        await appendRun(
          target,
          run.map(({ event }) => event),
        );
        written(run.length);
      } catch (error) {
        failure ??= { error };
      }
      held -= run.reduce((sum, { bytes }) => sum + bytes + eventOverhead, 0);
      room.resolve();
    }
    // In the same breath as the last look at the queue: what is put after it finds nobody at work.
    atWork.delete(slot);
  }

  function refuseAfterEnd(): void {
    if (failure !== null) throw failure.error;
    signal.throwIfAborted();
  }

  return {
    async put(slot, event) {
      refuseAfterEnd();
      const queue = waiting[slot] as Waiting[];
      const { bytes } = serialiseEvent(event);
      queue.push({ event, bytes });
      held += bytes + eventOverhead;
      if (!atWork.has(slot)) atWork.set(slot, work(slot, queue));
      while (held > maxHeldBytes && failure === null && !signal.aborted) {
        room = Promise.withResolvers();
        await room.promise;
      }
    },
    async end() {
      await Promise.all(atWork.values());
      refuseAfterEnd();
    },
  };
}

/** How many of the first events go into one append: of one stream, one after another, within the limits. */
function runLength(queue: readonly Waiting[]): number {
  const first = queue[0] as Waiting;
  let bytes = first.bytes;
  let length = 1;
  for (; length < Math.min(queue.length, maxRunEvents); length++) {
    const next = queue[length] as Waiting;
    bytes += next.bytes;
    const follows = next.event.stream === first.event.stream && next.event.revision === first.event.revision + length;
    if (!follows || bytes > maxAppendBytes) break;
  }
  return length;
}

const asNew = ({ id, type, data, metadata }: RecordedEvent): NewEvent => ({ id, type, data, metadata });

async function appendRun(target: Pick<EventLog, 'append'>, run: readonly RecordedEvent[]): Promise<void> {
  const { stream, revision } = run[0] as RecordedEvent;
  // Never another expectation than the event's own place: so whatever is repeated adds nothing.
  const expected = revision === 0 ? 'none' : revision - 1;
  const [result] = await target.append([{ stream, expected, events: run.map(asNew) }]);
  if (result?.outcome === 'appended') return;
  if (result?.outcome === 'too-large')
    throw new CopyConflict(
      `The target refuses ${stream}, revision ${revision}: ${result.bytes} bytes, where ${result.limit} are allowed.`,
    );
  const actual = result?.actual ?? 'none';
  throw new CopyConflict(
    `The target did not take ${stream}, revision ${revision}: the stream ${actual === 'none' ? 'does not exist there' : `is at revision ${actual} there`}. Either something else writes into the target, or events of the stream are gone from the source (deleted, or past a $maxAge).`,
  );
}
