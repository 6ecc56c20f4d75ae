/** What may be asked of sync runs. */
import { z } from 'zod';
import { reason } from '#shared/events/selection.ts';
import { manifestPart, sourceName, syncChannel, syncCounts, syncMode } from '#shared/events/sync-run.ts';
import { uuid } from '#shared/http/uuid.ts';
import { mappingSchema } from '#shared/source-records/mapping.ts';

export const startSyncRunBody = z.strictObject({
  source: sourceName.default('salesforce'),
  channel: syncChannel.default('file'),
  mode: syncMode.default('partial'),
  mapping: mappingSchema.default({}),
  parts: z
    .array(manifestPart)
    .max(10_000)
    .default([])
    .describe('announces what will be sent; equal announcements resume an open run'),
});

export const cancelSyncRunBody = z.strictObject({ reason: reason.default('cancelled by request') });

export const syncRunAnswer = z.object({
  id: uuid,
  status: z.enum(['running', 'completed', 'failed', 'cancelled']),
  source: z.string(),
  epoch: z.int(),
  batchSize: z.int(),
  resumed: z.boolean().describe('the run was begun before, and goes on'),
  parts: z.array(z.object({ part: z.int(), batches: z.int(), whole: z.boolean() })),
  totals: syncCounts,
});

export const partParameters = z.object({ id: uuid, part: z.coerce.number().int().min(1).max(10_000) });
export const partQuery = z.strictObject({
  object: z.string().max(80).optional().describe('of a CSV: Task, Event, Contact, …'),
});
