/** Reads and subscriptions: one method of the protocol, told apart by their options. */
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { serverNotReady, streamDeleted, timedOut } from './call-status.ts';
import { allFeed, type Feed, streamFeed } from './feed.ts';
import { filterOf } from './filter.ts';
import type { CallSite } from './node.ts';
import { streamNameOf } from './protobuf.ts';
import { isMissing, readAllEvents, readStreamEvents } from './read-events.ts';
import { eventEncoder, type ReadMessage, streamNotFound } from './read-messages.ts';
import { runWithFault } from './run-with-fault.ts';
import { type ReadCall, sendMessages } from './send-messages.ts';
import type { Store } from './store.ts';
import type { StoredEvent } from './stored-event.ts';
import { serveSubscription } from './subscription.ts';

/** Serves either. */
export function read(site: CallSite, call: ReadCall): void {
  const options = call.request.getOptions()!;
  if (options.hasSubscription()) serveAsSubscription(site, call, options);
  else serveAsRead(site, call, options);
}

function serveAsSubscription(site: CallSite, call: ReadCall, options: ReadReq.Options): void {
  const { node } = site;
  node.counts.subscriptions += 1;
  const encode = eventEncoder(options);
  const serve = (limit?: number): Promise<void> =>
    serveSubscription(node, call, feedOf(node.store, options), encode, limit);
  runWithFault(site, 'subscribe', {
    whole: () => void serve(),
    part: () => serve(1),
    fail: (error) => call.emit('error', error),
    notReady: () => call.emit('error', serverNotReady()),
    timedOut: () => call.emit('error', timedOut('the subscription')),
  });
}

function feedOf(store: Store, options: ReadReq.Options): Feed {
  const stream = options.getStream();
  if (stream) {
    const name = streamNameOf(stream.getStreamIdentifier());
    if (stream.hasEnd()) return streamFeed(store, name, 'end');
    return streamFeed(store, name, stream.hasStart() ? 0 : Number(stream.getRevision()) + 1);
  }
  const all = options.getAll()!;
  const position = all.getPosition();
  if (all.hasStart()) return allFeed(store, 0, filterOf(options));
  if (!position) return allFeed(store, store.log.length, filterOf(options));
  // The server skips one event there, whatever its position: clients may only use positions that they were given.
  const index = store.indexAt(Number(position.getCommitPosition()));
  return allFeed(store, Math.min(index + 1, store.log.length), filterOf(options));
}

function serveAsRead(site: CallSite, call: ReadCall, options: ReadReq.Options): void {
  const { node } = site;
  node.counts.reads += 1;
  runWithFault(site, 'read', {
    whole: () => void answer(site, call, options),
    part: async () => {
      const messages = [...messagesOf(site, options)];
      await sendMessages(call, messages.slice(0, messages.length >> 1));
    },
    fail: (error) => call.emit('error', error),
    notReady: () => call.emit('error', serverNotReady()),
    timedOut: () => call.emit('error', timedOut('the read')),
  });
}

async function answer(site: CallSite, call: ReadCall, options: ReadReq.Options): Promise<void> {
  const stream = options.getStream();
  const name = streamNameOf(stream?.getStreamIdentifier());
  if (stream && site.node.store.stream(name).tombstoned) call.emit('error', streamDeleted(name));
  else if (await sendMessages(call, messagesOf(site, options))) call.end();
}

function* messagesOf({ node }: CallSite, options: ReadReq.Options): Generator<ReadMessage> {
  const encode = eventEncoder(options);
  const count = Number(options.getCount());
  let sent = 0;
  const stream = options.getStream();
  if (stream && isMissing(node.store.stream(streamNameOf(stream.getStreamIdentifier()))))
    return yield streamNotFound(streamNameOf(stream.getStreamIdentifier()));
  for (const event of eventsOf(node.store, options, node.now())) {
    if (sent === count) return;
    sent += 1;
    node.counts.events += 1;
    yield encode(event);
  }
}

function eventsOf(store: Store, options: ReadReq.Options, now: number): Generator<StoredEvent> {
  const backwards = options.getReadDirection() === 1;
  const stream = options.getStream();
  if (!stream) return readAllEvents(store, options.getAll()!, backwards, filterOf(options));
  return readStreamEvents(store.stream(streamNameOf(stream.getStreamIdentifier())), stream, backwards, now);
}
