/** What may be asked of selections. */
import { z } from 'zod';
import { activityFilter } from '#shared/activity-filter/activity-filter.ts';
import { activityKind } from '#shared/events/activity.ts';
import { exportFormat, reason, selectionName, selectionPurpose } from '#shared/events/selection.ts';
import { uuid } from '#shared/http/uuid.ts';

/** Ids in one request, and matches of one filter. */
export const mostActivities = 10_000;

const wanted = z.union([
  uuid,
  z.strictObject({ id: uuid, revision: z.int().nonnegative().optional().describe('the newest where absent') }),
]);

const chosen = {
  ids: z.array(wanted).min(1).max(mostActivities).optional(),
  filter: activityFilter.optional(),
  exclude: z.array(uuid).max(mostActivities).optional().describe('matches of the filter that are left out'),
  expectedCount: z.int().nonnegative().optional().describe('of the filter after exclusions; another count is refused'),
};
const oneWay = { error: 'give either ids or a filter; exclude and expectedCount go with a filter' };
const isOneWay = (body: { ids?: unknown; filter?: unknown; exclude?: unknown; expectedCount?: unknown }) =>
  (body.ids === undefined) !== (body.filter === undefined) &&
  (body.filter !== undefined || (body.exclude === undefined && body.expectedCount === undefined));

export const chosenActivities = z.strictObject(chosen).refine(isOneWay, oneWay);
export type ChosenActivities = z.infer<typeof chosenActivities>;

const heading = { name: selectionName, purpose: selectionPurpose.nullable().default(null) };

export const openSelectionBody = z.strictObject(heading);
export const selectAtOnceBody = z.strictObject({ ...heading, ...chosen }).refine(isOneWay, oneWay);
export const changeSelectionBody = z
  .strictObject({ name: selectionName.optional(), purpose: selectionPurpose.nullable().optional() })
  .refine((body) => body.name !== undefined || body.purpose !== undefined, { error: 'give a name or a purpose' });
export const reasonBody = z.strictObject({ reason: reason.nullable().default(null) });
export const copySelectionBody = z.strictObject({
  name: selectionName.optional(),
  purpose: selectionPurpose.nullable().optional(),
});
export const exportBody = z.strictObject({ format: exportFormat });
export const shareBody = z.strictObject({
  recipient: z.string().trim().min(1).max(320).describe('with whom'),
  model: z.string().trim().min(1).max(200).nullable().default(null).describe('with which language model'),
  note: z.string().trim().max(2_000).nullable().default(null),
});

export const selectionAnswer = z.object({
  id: uuid,
  revision: z.int(),
  name: z.string(),
  purpose: z.string().nullable(),
  status: z.enum(['open', 'frozen', 'discarded']),
  filling: z.boolean(),
  count: z.int(),
  digest: z.string().nullable(),
  copiedFrom: uuid.nullable(),
});

export const previewAnswer = z.object({
  count: z.int(),
  kinds: z.array(z.object({ kind: activityKind, count: z.int() })),
  owners: z
    .array(z.object({ id: z.string().nullable(), name: z.string().nullable(), count: z.int() }))
    .describe('the 20 with most'),
  occurredAt: z.object({ from: z.string().nullable(), to: z.string().nullable() }),
  asOf: z.object({ position: z.string(), time: z.string().nullable() }),
});
