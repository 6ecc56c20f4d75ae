/**
 * The transport of one machine: reads the log. It begins at the earliest of the positions it is given, so a slot that
 * is further on gets events again that it has; it drops them like any duplicate.
 */
import type { EventLog } from '#shared/event-log/event-log.ts';
import { laterOf, type Position } from '#shared/event-log/position.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { slotOf } from '#shared/transport/slot.ts';
import type { DeliveredEvent, Transport } from '#shared/transport/transport.ts';

/** At least this often while events flow; and whenever the end of the log is reached after some. */
const watermarkMilliseconds = 1_000;

export function directTransport(log: Pick<EventLog, 'subscribe'>, runtime: Runtime): Transport {
  return {
    async *deliver(_reader, from, signal) {
      const start = from.reduce((least, position) => (position < least ? position : least));
      // The slot's checkpoint is the event before, or later than it: nothing in between was skipped.
      const previous: Position[] = from.map(() => start);
      let time: string | null = null;
      let position = start;
      let marked = '';
      let markedAt = 0;
      for await (const message of log.subscribe(start, signal)) {
        position = laterOf(position, message.position);
        const events: DeliveredEvent[] = [];
        if (message.kind === 'events')
          for (const event of message.events) {
            const slot = slotOf(event.metadata.tenant);
            events.push({ slot, previous: previous[slot] as Position, ordinal: null, event });
            previous[slot] = event.position;
            if (time === null || event.metadata.recordedAt > time) time = event.metadata.recordedAt;
          }
        const now = runtime.now().getTime();
        const due = position !== marked && (message.kind === 'caught-up' || now - markedAt >= watermarkMilliseconds);
        if (due) {
          marked = position;
          markedAt = now;
        }
        // Also where there is nothing to tell: whoever receives shows by it that it is alive.
        yield {
          events,
          watermarks: due ? [{ position, time, previous: new Map(previous.entries()) }] : [],
          waitingFor: null,
        };
      }
    },
  };
}
