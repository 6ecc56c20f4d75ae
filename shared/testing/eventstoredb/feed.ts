/** What a subscription gets next: history first, then word that it caught up, then whatever is committed. */
import type { ServiceError } from '@grpc/grpc-js';
import { streamDeleted } from './call-status.ts';
import { type AllFilter, pageSize } from './filter.ts';
import { firstVisible, isMissing } from './read-events.ts';
import type { LogPosition } from './read-messages.ts';
import type { Store } from './store.ts';
import type { StoredEvent } from './stored-event.ts';

/** One thing to tell the subscriber. */
export type FeedItem =
  | { readonly event: StoredEvent }
  | { readonly checkpoint: LogPosition }
  | { readonly caughtUp: true }
  | { readonly failure: ServiceError };

/** A subscription's place in the log or in a stream. */
export interface Feed {
  /** Nothing for now if undefined: ask again after a commit. */
  next(): FeedItem | undefined;
  /** Events that a live subscriber has not been given yet; 0 before it is live. */
  behind(): number;
}

/**
 * $all from an index of the log on. A checkpoint comes after a page of history, or between live events, whenever so
 * many events were looked at. A page ends after 32 matching events, or when the filter's window is used up.
 */
export function allFeed(store: Store, fromIndex: number, filter: AllFilter): Feed {
  const items: FeedItem[] = [];
  let index = fromIndex;
  let live = false;
  let considered = 0;
  let page = emptyPage(index === 0 ? { commit: 0, prepare: 0 } : afterPage(index));
  let counted = 0;
  let waiting = 0;

  /** The server names the start of the next record with a prepare part of 0. */
  function afterPage(next: number): LogPosition {
    return { commit: store.log[next]?.position ?? store.end(), prepare: 0 };
  }

  function readHistory(event: StoredEvent): void {
    page.considered += 1;
    if (filter.accepts(event)) {
      page.matched += 1;
      page.last = { commit: event.position, prepare: event.position };
      items.push({ event });
    }
    if (page.matched < pageSize && page.considered < filter.window) return;
    considered += page.considered;
    if (considered >= filter.checkpointInterval) {
      considered %= filter.checkpointInterval;
      items.push({ checkpoint: page.last });
    }
    page = emptyPage(afterPage(index));
  }

  function readLive(event: StoredEvent): void {
    if (filter.accepts(event)) {
      waiting -= 1;
      items.push({ event });
    }
    considered += 1;
    if (considered < filter.checkpointInterval) return;
    considered = 0;
    items.push({ checkpoint: { commit: event.position, prepare: event.position } });
  }

  function goLive(): void {
    live = true;
    counted = index;
    considered += page.considered;
    items.push({ caughtUp: true });
  }

  function count(): void {
    for (; counted < store.log.length; counted += 1) if (filter.accepts(store.log[counted]!)) waiting += 1;
  }

  return {
    next() {
      while (items.length === 0) {
        const event = store.log[index];
        if (!event && live) return undefined;
        if (!event) goLive();
        else {
          index += 1;
          if (live) {
            count();
            readLive(event);
          } else readHistory(event);
        }
      }
      return items.shift();
    },
    behind() {
      if (live) count();
      return waiting;
    },
  };
}

const emptyPage = (last: LogPosition) => ({ considered: 0, matched: 0, last });

/** One stream from a revision on. Until the stream exists there is nothing to be caught up with. */
export function streamFeed(store: Store, name: string, from: number | 'end'): Feed {
  let next = from === 'end' ? store.stream(name).events.length : from;
  let live = false;
  let told = false;
  return {
    next() {
      const view = store.stream(name);
      if (view.tombstoned) return { failure: streamDeleted(name) };
      if (from === 'end') live = true;
      if (live && !told) {
        told = true;
        return { caughtUp: true };
      }
      if (!live && isMissing(view)) return undefined;
      const at = Math.max(next, firstVisible(view));
      const event = view.events[at];
      if (event) {
        next = at + 1;
        return { event };
      }
      if (live) return undefined;
      live = true;
      told = true;
      return { caughtUp: true };
    },
    behind: () => (live ? Math.max(0, store.stream(name).events.length - next) : 0),
  };
}
