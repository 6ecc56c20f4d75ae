/** A command on its way: who asks for what, from where, under which key, and when. */
import type { Caller } from '#shared/access/permissions.ts';

export interface Command {
  readonly tenant: string;
  readonly actor: string;
  /** UUIDv5 of tenant, actor, route with its target, and Idempotency-Key. */
  readonly id: string;
  /** SHA-256 of what was asked for; another one under the same identity is refused. */
  readonly requestHash: string;
  readonly correlationId: string;
  readonly now: Date;
  /** The revision that the caller saw, where it said so. */
  readonly ifMatch: number | null;
  readonly origin: Origin;
}

/** Personal data of a request: kept in an erasable table, never in an event. */
export interface Origin {
  readonly actorName: Caller['name'];
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
}
