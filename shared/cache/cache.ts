/**
 * The cache port. Nothing is ever invalidated: a key holds the tenant's last-changed position, so a change makes a new
 * key. The cache may forget anything at any time; a lost message costs freshness for a moment, never truth.
 */
import type { Position } from '#shared/event-log/position.ts';

/** How far a projection is, as its projector published it after a commit. Only ever rises. */
export interface Progress {
  readonly projection: string;
  readonly generation: number;
  /** The projector has just begun: others may have changed anything up to the slots' checkpoints. */
  readonly assigned: boolean;
  /** Position of the last change of each tenant that the batch touched. */
  readonly tenants: ReadonlyMap<string, Position>;
  /** Checkpoint of each slot that moved. */
  readonly slots: ReadonlyMap<number, Position>;
}

export interface LastChanged {
  readonly generation: number;
  /** Nothing of the tenant changed after this, as far as is known. */
  readonly position: Position;
}

export interface CachedAnswer {
  readonly asOf: { readonly position: Position; readonly time: string | null };
  readonly body: unknown;
}

export interface Cache {
  publish(progress: Progress): Promise<void>;
  /** Null: not known, so nothing can be looked up. */
  lastChanged(projection: string, tenant: string): Promise<LastChanged | null>;
  /** Checkpoint of a slot as last published; null where it is not known. */
  reached(projection: string, slot: number): Promise<Position | null>;
  get(key: string): Promise<CachedAnswer | null>;
  set(key: string, answer: CachedAnswer): Promise<void>;
  /** Resolves at the projection's next publication, or when aborted. A hint: callers look again themselves. */
  published(projection: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
