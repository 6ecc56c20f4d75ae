/**
 * Events of a sync run: one pass that brings records in.
 *
 * A batch is told after its records were recorded, so that the run never claims what the log does not hold.
 */
import { z } from 'zod';

export const syncChannel = z.enum(['file', 'push', 'bulk', 'notice']);
export const syncMode = z
  .enum(['partial', 'full', 'incremental'])
  .describe('full and incremental runs have a watermark; a partial one says nothing about other records');

export const sourceName = z
  .string()
  .regex(/^(salesforce(:[a-z0-9][a-z0-9-]{0,39})?|ndjson:[a-z0-9][a-z0-9-]{0,39})$/, {
    error: 'a source is "salesforce", "salesforce:<name>" or "ndjson:<name>" (lower case letters, digits, dashes)',
  })
  .describe('the system of record; the same on every channel');

/** Target field to the column it is read from. */
export const columnMapping = z.record(z.string().max(80), z.string().max(255));

export const syncCounts = z.object({
  received: z.int().nonnegative(),
  recorded: z.int().nonnegative(),
  revised: z.int().nonnegative(),
  unchanged: z.int().nonnegative(),
  stale: z.int().nonnegative(),
  deleted: z.int().nonnegative(),
  rejected: z.int().nonnegative(),
});

export const manifestPart = z.object({
  part: z.int().min(1).max(10_000),
  object: z.string().max(80).nullable().describe('null where the records say it themselves (NDJSON)'),
  digest: z
    .string()
    .regex(/^sha-256:[0-9a-f]{64}$/)
    .describe('of the bytes of the part'),
});

export const rejectedRecord = z.object({
  line: z.int().positive().nullable(),
  sourceId: z.string().max(255).nullable(),
  reason: z.string().max(500),
});

const syncEnd = { totals: syncCounts };

export type SyncCounts = z.infer<typeof syncCounts>;

export const syncRunEvents = {
  SyncStarted: {
    version: 1,
    about: 'A sync run began.',
    data: z.object({
      source: sourceName,
      channel: syncChannel,
      mode: syncMode,
      window: z.object({ from: z.iso.datetime(), to: z.iso.datetime() }).nullable(),
      mapping: columnMapping,
      batchSize: z.int().min(1).max(500),
      epoch: z.int().positive().describe('rises with every run of a source; later epochs win over earlier ones'),
      parts: z.array(manifestPart).max(10_000).describe('what will be sent, where that is known beforehand'),
      requestedBy: z.string(),
    }),
  },
  SyncBatchApplied: {
    version: 1,
    about: 'The records of one batch of a part are recorded.',
    data: z.object({
      part: z.int().positive(),
      object: z.string().nullable(),
      digest: z.string().nullable().describe('of the whole part, where it was announced'),
      batch: z.int().nonnegative(),
      last: z.boolean().describe('whether the part ends with this batch'),
      ...syncCounts.shape,
      latestStamp: z.iso.datetime({ precision: 3 }).nullable().describe('the latest stamp of the source in the batch'),
      rejects: z.array(rejectedRecord).max(500),
    }),
  },
  SyncCompleted: {
    version: 1,
    about: 'Every part was received.',
    data: z.object({ ...syncEnd, watermark: z.iso.datetime().nullable().describe('full and incremental runs only') }),
  },
  SyncFailed: {
    version: 1,
    about: 'The run ended with an error.',
    data: z.object({
      ...syncEnd,
      error: z.string().max(500),
      resumeAt: z.object({ part: z.int(), batch: z.int() }).nullable(),
    }),
  },
  SyncCancelled: {
    version: 1,
    about: 'The run was given up, by a person or for another one.',
    data: z.object({ ...syncEnd, reason: z.string().max(500) }),
  },
} as const;
