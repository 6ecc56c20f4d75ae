/**
 * One subscriber. While it reads history it sets the pace; once it is live it has to keep up: the server drops it when
 * too many events wait for it.
 */
import { randomUUID } from 'node:crypto';
import { consumerTooSlow } from './call-status.ts';
import type { Feed, FeedItem } from './feed.ts';
import type { ServerNode } from './node.ts';
import { caughtUp, checkpoint, confirmation, type EventEncoder, type ReadMessage } from './read-messages.ts';
import type { ReadCall } from './send-messages.ts';

/** Serves the subscription until the client ends it, or it is dropped. With a limit it stops after so many events. */
export function serveSubscription(
  node: ServerNode,
  call: ReadCall,
  feed: Feed,
  encode: EventEncoder,
  limit = Number.POSITIVE_INFINITY,
): Promise<void> {
  const { promise: limitReached, resolve: reachedLimit } = Promise.withResolvers<void>();
  let sent = 0;
  let blocked = false;
  let over = false;
  let lagging: NodeJS.Timeout | undefined;

  function finish(): void {
    over = true;
    stopListening();
    node.subscribers.delete(drop);
    clearTimeout(lagging);
  }

  function fail(error: Error): void {
    finish();
    call.emit('error', error);
  }

  function write(item: FeedItem): void {
    if ('failure' in item) {
      fail(item.failure);
      return;
    }
    let message: ReadMessage = caughtUp();
    if ('checkpoint' in item) message = checkpoint(item.checkpoint);
    if ('event' in item) {
      message = encode(item.event);
      sent += 1;
      node.counts.events += 1;
    }
    blocked = !call.write(message, sent === limit ? () => reachedLimit() : undefined);
    if (sent === limit) finish();
  }

  function pump(): void {
    while (!blocked && !over) {
      const item = feed.next();
      if (!item) break;
      write(item);
    }
    if (!over) watchLag();
  }

  function watchLag(): void {
    const tooFar = blocked && feed.behind() > node.settings.liveBuffer;
    if (!tooFar) {
      clearTimeout(lagging);
      lagging = undefined;
    } else lagging ??= setTimeout(dropIfRunning, node.settings.liveGraceMs);
  }

  function dropIfRunning(): void {
    lagging = undefined;
    // A server that is stopped itself does not blame the client for it.
    if (node.gate.state === 'closed') watchLag();
    else drop();
  }

  function drop(): void {
    node.counts.droppedSubscribers += 1;
    fail(consumerTooSlow());
  }

  const stopListening = node.store.onCommit(pump);
  call.on('drain', () => {
    blocked = false;
    pump();
  });
  call.on('cancelled', finish);
  node.subscribers.add(drop);
  call.write(confirmation(randomUUID()));
  pump();
  return limitReached;
}
