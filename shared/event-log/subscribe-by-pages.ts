/**
 * The subscription of every adapter: read pages to the end, say so, wait to be woken, go on. A wake-up that is lost
 * costs at most one poll interval; nothing can be skipped, since only pages are trusted.
 */
import type { EventLog, SubscriptionMessage } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

/** Resolves at an append after the position (or what looks like one), after the poll interval, or when aborted. */
export type WaitForAppend = (signal: AbortSignal, position: Position) => Promise<void>;

export async function* subscribeByPages(
  log: Pick<EventLog, 'readAll'>,
  after: Position,
  signal: AbortSignal,
  waiter: () => { readonly woken: WaitForAppend },
  pageSize = 500,
): AsyncGenerator<SubscriptionMessage> {
  let position = after;
  while (!signal.aborted) {
    // Listening begins before the read: an append between the read and the wait wakes the wait.
    const { woken } = waiter();
    const page = await log.readAll(position, pageSize);
    position = page.position;
    // A page without events of ours is told of too while there is more: whoever waits sees that the reading goes on.
    if (page.events.length > 0 || !page.end) yield { kind: 'events', events: page.events, position };
    if (!page.end) continue;
    yield { kind: 'caught-up', position };
    if (signal.aborted) return;
    await woken(signal, position);
  }
}
