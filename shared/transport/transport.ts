/**
 * How events reach the projector. Two kinds of message: events, each with the position of the event before it in its
 * slot; and watermarks, which say up to where the log was sent. A receiver compares previous positions with its
 * checkpoints, so loss, repetition and reordering on the way are seen, never absorbed.
 */

import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

export interface DeliveredEvent {
  readonly slot: number;
  /** Of the event before this one in its slot, from the log. */
  readonly previous: Position;
  /** Counts the events of the slot, for the lag in events; null where the transport does not count. */
  readonly ordinal: number | null;
  readonly event: RecordedEvent;
}

export interface Watermark {
  /** The log was sent up to here. */
  readonly position: Position;
  /** The greatest recordedAt that was sent; null where nothing was. */
  readonly time: string | null;
  /** Position of the last event up to here, of each slot that this watermark is about. */
  readonly previous: ReadonlyMap<number, Position>;
}

export interface Delivery {
  readonly events: readonly DeliveredEvent[];
  /** Each about slots of its own, or later than the one before; all hold once the events are applied. */
  readonly watermarks: readonly Watermark[];
  /** What keeps anything from coming, in words (a broker that is away); absent or null where all is well. */
  readonly waitingFor?: string | null;
}

export interface Transport {
  /**
   * From each slot's position on, or from before it, for as long as the signal lets it; nothing, at least every second,
   * while there is nothing. Readers of one name share the slots: what one is given, another is not, but for moments of
   * change. All positions are of the one log that the transport carries.
   */
  deliver(reader: string, from: readonly Position[], signal: AbortSignal): AsyncIterable<Delivery>;
}
