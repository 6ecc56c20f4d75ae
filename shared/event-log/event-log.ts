/**
 * The event log: the only source of truth. Seven verbs, the same on every adapter; contract.ts holds them to it.
 *
 * - Atomic within a stream, not across streams. Nothing above the port relies on two streams changing together.
 * - Ids of events are deterministic: an append repeated unchanged answers as the first time, also after later events.
 * - There is no "any" expectation: it is not idempotent.
 * - A stream belongs to the tenant of its events; read through another tenant it is missing.
 * - Positions are only compared and given back, never computed: a log may have gaps and events of others in it.
 */

import { logIdOf, type Position } from '#shared/event-log/position.ts';
import type { EventMetadata } from '#shared/events/metadata.ts';

/** Bytes of one event (data and metadata as JSON, and its type twice). Kafka's limits are set above it. */
export const maxEventBytes = 512 * 1024;
/** Bytes of the events of one stream in one append. EventStoreDB's own limit. */
export const maxAppendBytes = 1024 * 1024;

export interface NewEvent {
  readonly id: string;
  readonly type: string;
  /** Serialisable as JSON. */
  readonly data: unknown;
  readonly metadata: EventMetadata;
}

export interface RecordedEvent extends NewEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
}

/** The revision that the stream's last event must have, or "none": the stream must not exist. */
export type Expected = number | 'none';

export interface StreamAppend {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly NewEvent[];
}

/** What became of one stream of an append. */
export type AppendResult =
  | {
      readonly outcome: 'appended';
      /** Of the last event of this append; for an empty one the expected revision. */
      readonly revision: number;
      /** Of the last event of this append; null for an empty one. */
      readonly position: Position | null;
    }
  | { readonly outcome: 'conflict'; readonly expected: Expected; readonly actual: Expected }
  | { readonly outcome: 'too-large'; readonly bytes: number; readonly limit: number };

export interface LogPage {
  /** In log order. May be fewer than asked for, and none, while there is more. */
  readonly events: readonly RecordedEvent[];
  /** Read up to here; go on from it. */
  readonly position: Position;
  /** Whether the end of the log was reached. */
  readonly end: boolean;
}

export type SubscriptionMessage =
  /** Perhaps none: a page in which all events were other people's. `position` is where the page ended. */
  | { readonly kind: 'events'; readonly events: readonly RecordedEvent[]; readonly position: Position }
  | { readonly kind: 'caught-up'; readonly position: Position };

export interface EventLog {
  /** Id of this log; part of every position. */
  readonly id: string;
  /** Before the first event. */
  readonly start: Position;
  /** One or many streams; answers in the order given. Rejects with LogUnavailable where the outcome is unknown. */
  append(appends: readonly StreamAppend[]): Promise<AppendResult[]>;
  /** Events of a stream in order, from a revision on; none where it is missing or another tenant's. */
  readStream(tenant: string, stream: string, from?: number): AsyncIterable<RecordedEvent>;
  /** The last event of each stream that exists, by its name. */
  readLast(tenant: string, streams: readonly string[]): Promise<Map<string, RecordedEvent>>;
  /** A page of the whole log, after a position. */
  readAll(after: Position, limit: number): Promise<LogPage>;
  /** The event at exactly this position; null where another log has none there. */
  readAt(position: Position): Promise<RecordedEvent | null>;
  /** Events after a position for as long as the signal lets it, and each time it is caught up, that it is. */
  subscribe(after: Position, signal: AbortSignal): AsyncIterable<SubscriptionMessage>;
  /** Position up to which the log reaches now: of its last event, whosever it is, or the start. */
  head(): Promise<Position>;
  close(): Promise<void>;
}

/** The log did not answer; whether an append was stored is unknown. Repeating it unchanged is safe. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}

/** Throws ForeignPosition where the position is not of the log with this id. */
export function ofThisLog(id: string, position: Position): Position {
  if (logIdOf(position) !== id) throw new ForeignPosition(`position ${position} is of another log than ${id}`);
  return position;
}

/** A position of another log was given, for example after a restore. */
export class ForeignPosition extends Error {
  override readonly name = 'ForeignPosition';
}
