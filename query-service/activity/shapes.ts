/** What queries answer about activities. */
import { z } from 'zod';
import { activityKind, activitySnapshot, callDirection } from '#shared/events/activity.ts';
import { asOf } from '#shared/read-model/read-model.ts';

const reference = z
  .object({ id: z.string().nullable(), name: z.string().nullable(), type: z.string().nullable() })
  .nullable()
  .describe('a record of the source; the name is null where that record was not imported');

export const activityRow = z.object({
  id: z.uuid(),
  revision: z.int(),
  kind: activityKind,
  subject: z.string().nullable(),
  status: z.string().nullable(),
  closed: z.boolean(),
  priority: z.string().nullable(),
  direction: callDirection.nullable(),
  outcome: z.string().nullable(),
  durationSeconds: z.int().nullable(),
  occurredAt: z.string().nullable(),
  dueOn: z.string().nullable(),
  owner: reference,
  account: reference.describe('its own, or rolled up through opportunity, case or contact'),
  who: reference,
  what: reference,
  source: z.string(),
  sourceId: z.string(),
  sourceModifiedAt: z.string().nullable(),
  contentHash: z.string(),
  changedAt: z.string(),
});
export type ActivityRow = z.infer<typeof activityRow>;

/** A version whole, without the salt of its hash. */
export const shownSnapshot = activitySnapshot.extend({
  personal: activitySnapshot.shape.personal.omit({ salt: true }),
});

export const activityDetail = activityRow.extend({
  deleted: z.boolean(),
  body: z.string().nullable(),
  extra: z.record(z.string(), z.string()),
  derivedFrom: z
    .record(z.string(), z.string().nullable())
    .describe('the field of the source that each derived value came from'),
  asOf,
});

export const fieldChange = z.object({ field: z.string(), before: z.unknown(), after: z.unknown() });

export const activityVersion = z.object({
  revision: z.int(),
  type: z.string(),
  recordedAt: z.string(),
  actor: z.string(),
  correlationId: z.string(),
  syncRun: z.string().nullable(),
  position: z.string(),
  changes: z.array(fieldChange).describe('against the version before; empty for the first'),
  version: shownSnapshot,
});
