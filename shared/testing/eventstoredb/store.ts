/**
 * The double's log and streams: everything that the server decides, nothing of how it is asked. All of it is
 * synchronous, so that appends are judged in the order of their arrival, however many clients there are.
 */
import { randomUUID } from 'node:crypto';
import { checkCommit, type Expected } from './commit-check.ts';
import { defaultRecentIdBytes, recentIds } from './recent-ids.ts';
import {
  epochStream,
  isMetadataStream,
  metadataStreamOf,
  type ProposedEvent,
  recordLength,
  type StoredEvent,
  ticksOf,
  tombstoneRevision,
} from './stored-event.ts';
import {
  isSoftDelete,
  limitsFrom,
  noLimits,
  recreatedFrom,
  type StreamLimits,
  softDeletedMetadata,
} from './stream-limits.ts';

/** How an append ended. A repetition is answered like the first time. `current` is -1 for a stream without events. */
export type AppendOutcome =
  | { readonly outcome: 'stored'; readonly lastRevision: number; readonly position: number }
  | { readonly outcome: 'conflict'; readonly current: number }
  | { readonly outcome: 'deleted' };

/** What a reader finds out about a stream. Events are at their revision's index. */
export interface StreamView {
  readonly events: readonly StoredEvent[];
  readonly tombstoned: boolean;
  readonly limits: StreamLimits;
}

/** What one append, delete or start wrote: all of it or nothing. */
export interface Commit {
  readonly events: readonly StoredEvent[];
  /** Offset at which the log goes on after it. */
  readonly end: number;
}

/** The log of one server. */
export interface Store {
  /** Every event in the order of the log, also those that no reader sees. */
  readonly log: readonly StoredEvent[];
  append(stream: string, expected: Expected, events: readonly ProposedEvent[]): AppendOutcome;
  /** Soft: the stream reads as missing until the next append, and its numbering goes on. Hard: it refuses for ever. */
  delete(stream: string, expected: Expected, how: 'soft' | 'hard'): AppendOutcome;
  stream(name: string): StreamView;
  /** Index in the log of the first event at this position or after it. */
  indexAt(position: number): number;
  /** Offset at which the log goes on. */
  end(): number;
  /** A new start of the server on the same data: it forgets the ids that it remembered. */
  restart(): void;
  /** Takes over what another store with the same history has written. */
  apply(commit: Commit): void;
  /** Called after each append, when everything that it brings is in the log. Returns the undo. */
  onCommit(listener: () => void): () => void;
}

interface StreamState {
  readonly name: string;
  readonly events: StoredEvent[];
  tombstoned: boolean;
  limits: StreamLimits;
}

/** Settings of a log; both have the real server's values by default. */
export interface StoreOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Bytes that the memory of ids may take; small in a test that wants it to overflow. */
  readonly recentIdBytes?: number;
}

/** Where a log comes from that is not a fresh one, and goes. */
export interface StoreHistory {
  /** What was written before; nothing: a fresh server. */
  readonly commits: Iterable<Commit>;
  /** Told of each commit before anybody else is. */
  readonly write: (commit: Commit) => void;
}

/** A log without anything in it, for `apply` to fill: what a server can show of another log. */
export const createReplica = (options: StoreOptions = {}): Store => storeOf(options, () => {});

/** A log as it is on a fresh server, with the events that the server wrote for itself; or after a start on older data. */
export function createStore(options: StoreOptions = {}, history?: StoreHistory): Store {
  const store = storeOf(options, history?.write ?? (() => {}));
  for (const commit of history?.commits ?? []) store.apply(commit);
  if (store.log.length === 0) store.begin();
  else store.restart();
  return store;
}

function storeOf(options: StoreOptions, write: StoreHistory['write']): Store & { begin(): void } {
  const now = options.now ?? Date.now;
  const committed = recentIds(options.recentIdBytes ?? defaultRecentIdBytes);
  const log: StoredEvent[] = [];
  const streams = new Map<string, StreamState>();
  const listeners = new Set<() => void>();
  let end = 0;
  /** Index in the log of the first event that no commit has taken along yet. */
  let uncommitted = 0;

  function stateOf(name: string): StreamState {
    const known = streams.get(name);
    if (known) return known;
    const fresh: StreamState = { name, events: [], tombstoned: false, limits: noLimits };
    streams.set(name, fresh);
    return fresh;
  }

  function record(state: StreamState, event: ProposedEvent, revision = BigInt(state.events.length)): StoredEvent {
    const stored = { ...event, stream: state.name, revision, position: end, created: ticksOf(now()) };
    end += recordLength(state.name, event);
    add(state, stored);
    return stored;
  }

  function add(state: StreamState, stored: StoredEvent): void {
    const { revision, id, data } = stored;
    log.push(stored);
    if (revision === tombstoneRevision) state.tombstoned = true;
    else state.events.push(stored);
    if (isMetadataStream(state.name)) stateOf(state.name.slice(2)).limits = limitsFrom(data);
    committed.put(id, { stream: state.name, revision: Number(revision) });
  }

  const own = (type: string, data: string, isJson = true): ProposedEvent => ({
    id: randomUUID(),
    type,
    isJson,
    data: Buffer.from(data),
    metadata: Buffer.alloc(0),
  });

  /** Starting writes a record of the system, which is no event, and then the event that tells where it is. */
  function writeEpoch(): void {
    const epochPosition = end;
    end += 146;
    record(stateOf(epochStream), own(epochStream, JSON.stringify({ EpochPosition: epochPosition })));
  }

  function judge(state: StreamState, expected: Expected, ids: readonly string[]): AppendOutcome | 'write' {
    const decision = checkCommit(
      {
        name: state.name,
        lastRevision: state.events.length - 1,
        tombstoned: state.tombstoned,
        softDeleted: isSoftDelete(state.limits),
        hasMetadata: (streams.get(metadataStreamOf(state.name))?.events.length ?? 0) > 0,
        idAt: (revision) => state.events[revision]?.id,
      },
      expected,
      ids,
      committed.get,
    );
    if (decision.outcome === 'write') return 'write';
    if (decision.outcome === 'deleted') return { outcome: 'deleted' };
    if (decision.outcome === 'conflict') return { outcome: 'conflict', current: state.events.length - 1 };
    const { lastRevision } = decision;
    return { outcome: 'stored', lastRevision, position: state.events[lastRevision]!.position };
  }

  /** Appending to a soft-deleted stream moves the cut to the first new event, by one more metadata event. */
  function undelete(state: StreamState, from: number): void {
    const metadata = stateOf(metadataStreamOf(state.name));
    const last = metadata.events.at(-1);
    if (last) record(metadata, { ...own('$metadata', ''), data: recreatedFrom(last.data, from) });
  }

  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };

  function commit(): void {
    write({ events: log.slice(uncommitted), end });
    uncommitted = log.length;
    notify();
  }

  return {
    log,
    begin() {
      writeEpoch();
      // Where the first visible event stands in every recording.
      end = 548;
      record(
        stateOf('$$$scavenges'),
        own('$metadata', '{"$maxAge":2592000,"$acl":{"$r":"$ops","$w":[],"$d":[],"$mr":[],"$mw":[]}}'),
      );
      commit();
    },
    append(name, expected, events) {
      const state = stateOf(name);
      const ids = events.map(({ id }) => id);
      const judged = judge(state, expected, ids);
      if (judged !== 'write') return judged;
      const described = isMetadataStream(name) ? stateOf(name.slice(2)) : undefined;
      const wasDeleted = isSoftDelete(state.limits);
      const describedWasDeleted = described !== undefined && isSoftDelete(described.limits);
      const first = state.events.length;
      let position = end;
      for (const event of events) position = record(state, event).position;
      if (events.length === 0) end += recordLength(name);
      if (wasDeleted) undelete(state, first);
      if (describedWasDeleted) undelete(described, described.events.length);
      commit();
      return { outcome: 'stored', lastRevision: state.events.length - 1, position };
    },
    delete(name, expected, how) {
      const state = stateOf(name);
      const judged = judge(state, expected, [randomUUID()]);
      if (judged !== 'write') return judged;
      const metadata = stateOf(metadataStreamOf(name));
      if (how === 'soft' && state.events.length === 0 && metadata.events.length === 0)
        return { outcome: 'conflict', current: -1 };
      const { position } =
        how === 'soft'
          ? record(metadata, own('$metadata', softDeletedMetadata))
          : record(state, own('$streamDeleted', '', false), tombstoneRevision);
      commit();
      return { outcome: 'stored', lastRevision: state.events.length - 1, position };
    },
    stream: (name) => streams.get(name) ?? { events: [], tombstoned: false, limits: noLimits },
    indexAt(position) {
      let low = 0;
      let high = log.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (log[middle]!.position < position) low = middle + 1;
        else high = middle;
      }
      return low;
    },
    end: () => end,
    restart() {
      committed.clear();
      writeEpoch();
      commit();
    },
    apply({ events, end: after }) {
      for (const event of events) add(stateOf(event.stream), event);
      uncommitted = log.length;
      end = after;
      notify();
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
