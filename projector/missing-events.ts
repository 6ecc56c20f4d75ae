/**
 * What one has of the log and another has not: read from the log by pages, so that it may be any amount. A rebuild loads
 * by it what the live generation has, and a projection what did not arrive on its way.
 */
import type { EventLog } from '#shared/event-log/event-log.ts';
import { pagesUpTo } from '#shared/event-log/pages-up-to.ts';
import { laterOf, type Position } from '#shared/event-log/position.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';
import type { DeliveredEvent } from '#shared/transport/transport.ts';

const pageSize = 2_000;

/**
 * Events after `from` up to and with `upTo`, each by slot, in log order; a page at a time, perhaps an empty one. Throws
 * LogEndsEarly where the log does not reach so far.
 */
export async function* missingEvents(
  log: Pick<EventLog, 'readAll'>,
  from: readonly Position[],
  upTo: readonly Position[],
): AsyncGenerator<DeliveredEvent[]> {
  const fromOf = (slot: number) => from[slot] as Position;
  const upToOf = (slot: number) => upTo[slot] as Position;
  const behind = allSlots.filter((slot) => fromOf(slot) < upToOf(slot));
  if (behind.length === 0) return;
  const first = behind.map(fromOf).reduce((least, position) => (position < least ? position : least));
  const last = behind.map(upToOf).reduce(laterOf);
  const previous = [...from];
  for await (const events of pagesUpTo(log, first, last, pageSize)) {
    const delivered: DeliveredEvent[] = [];
    for (const event of events) {
      const slot = slotOf(event.metadata.tenant);
      if (event.position <= fromOf(slot) || event.position > upToOf(slot)) continue;
      delivered.push({ slot, previous: previous[slot] as Position, ordinal: null, event });
      previous[slot] = event.position;
    }
    yield delivered;
  }
}
