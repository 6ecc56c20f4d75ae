/** One server as its calls see it. */
import type { Faults } from './faults.ts';
import type { Gate } from './gate.ts';
import type { Connection } from './listener.ts';
import type { Store } from './store.ts';

/** Numbers for a test to look at, since the start of the double. */
export interface Counts {
  /** Appends that were complete and made sense, whatever became of them. */
  appends: number;
  /** Reads that arrived, subscriptions not among them. */
  reads: number;
  subscriptions: number;
  /** Events sent to readers and subscribers. */
  events: number;
  /** Subscribers dropped because they did not keep up. */
  droppedSubscribers: number;
}

/** What does not change while the double lives. */
export interface Settings {
  /** Bytes of type, data and metadata in one append. */
  readonly maxAppendSize: number;
  /** Events that a live subscriber may lag behind. */
  readonly liveBuffer: number;
  /** How long it may lag behind that far, in milliseconds, before it is dropped. */
  readonly liveGraceMs: number;
  /** True if calls about data must bring a name and password. */
  readonly requiresLogin: boolean;
}

/** Handed to every call. */
export interface ServerNode {
  readonly store: Store;
  readonly faults: Faults;
  readonly gate: Gate;
  readonly counts: Counts;
  readonly settings: Settings;
  /** How to drop each subscriber of the moment. */
  readonly subscribers: Set<() => void>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Where clients reach this node. */
  address(): { readonly host: string; readonly port: number };
  /** Dies, and comes back later. */
  goneFor(milliseconds: number): void;
  /** Stops, and goes on later. */
  freezeFor(milliseconds: number): void;
}

/** Where a call came in. */
export interface CallSite {
  readonly node: ServerNode;
  readonly connection: Connection;
}
