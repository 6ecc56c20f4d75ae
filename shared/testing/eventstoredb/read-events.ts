/** Which events a read answers, in which order. */
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { AllFilter } from './filter.ts';
import type { Store, StreamView } from './store.ts';
import { type StoredEvent, ticksOf } from './stored-event.ts';
import { isSoftDelete } from './stream-limits.ts';

/** True for a stream that was never written, or soft-deleted and not written again. */
export const isMissing = (view: StreamView): boolean => view.events.length === 0 || isSoftDelete(view.limits);

/** First revision that the stream's metadata leaves to its readers. */
export const firstVisible = ({ events, limits }: StreamView): number =>
  Math.max(0, limits.truncateBefore, events.length - limits.maxCount);

/** True if the stream's metadata says that the event is too old to be shown. */
export const isTooOld = ({ limits }: StreamView, event: StoredEvent, now: number): boolean =>
  limits.maxAgeSeconds !== Number.POSITIVE_INFINITY && event.created < ticksOf(now - limits.maxAgeSeconds * 1_000);

/** Events of one stream, from the requested revision on and including it. Cut events are left out, not an error. */
export function* readStreamEvents(
  view: StreamView,
  from: ReadReq.Options.StreamOptions,
  backwards: boolean,
  now: number,
): Generator<StoredEvent> {
  const last = view.events.length - 1;
  const first = firstVisible(view);
  const requested = from.hasStart() ? 0 : from.hasEnd() ? (backwards ? last : last + 1) : Number(from.getRevision());
  const step = backwards ? -1 : 1;
  for (
    let at = backwards ? Math.min(requested, last) : Math.max(requested, first);
    at >= first && at <= last;
    at += step
  ) {
    const event = view.events[at]!;
    if (!isTooOld(view, event, now)) yield event;
  }
}

/** Events of the whole log: forwards the one at the requested position is included, backwards it is not. */
export function* readAllEvents(
  store: Store,
  from: ReadReq.Options.AllOptions,
  backwards: boolean,
  filter: AllFilter,
): Generator<StoredEvent> {
  const step = backwards ? -1 : 1;
  for (let index = firstIndex(store, from, backwards); index >= 0 && index < store.log.length; index += step) {
    const event = store.log[index]!;
    if (filter.accepts(event)) yield event;
  }
}

function firstIndex(store: Store, from: ReadReq.Options.AllOptions, backwards: boolean): number {
  const position = from.getPosition();
  const index = from.hasStart() ? 0 : position ? store.indexAt(Number(position.getCommitPosition())) : store.log.length;
  return backwards ? index - 1 : index;
}
