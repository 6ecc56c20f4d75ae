/** What every event says about itself beside its data. Nothing personal: an actor is an id, never a name. */
import { z } from 'zod';

export const systemTenant = 'system';

export const tenantName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'a tenant is 1 to 63 lower case letters, digits and dashes' });

/** Where in a sync run an event came from. Greater (epoch, part, batch) is newer at equal stamps of the source. */
export const syncPlace = z.object({
  run: z.uuid(),
  epoch: z.int().positive(),
  part: z.int().positive(),
  batch: z.int().nonnegative(),
});

export const eventMetadata = z.object({
  tenant: tenantName,
  recordedAt: z.iso.datetime({ precision: 3 }).describe('when it was recorded; the only time of an event, everywhere'),
  actor: z.string().min(1).max(200).describe('who caused it: the id of a user, an API key or a system process'),
  commandId: z.uuid().describe('identity of the command: UUIDv5 of tenant, actor, route, target and Idempotency-Key'),
  requestHash: z.string().describe('SHA-256 of what the command asked for'),
  correlationId: z.uuid().describe('the request that it all began with'),
  causationId: z.uuid().nullable().describe('the event that led to this one'),
  traceparent: z.string().nullable().describe('W3C trace context'),
  schemaVersion: z.int().positive(),
  sync: syncPlace.optional(),
});

export type EventMetadata = z.infer<typeof eventMetadata>;
export type SyncPlace = z.infer<typeof syncPlace>;
