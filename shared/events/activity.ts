/**
 * Events of an activity: one CRM record of work with a customer.
 *
 * Every event carries the full snapshot, the deletion too, so that the last event of a stream always suffices to
 * decide about the next record. What the source said stands flat; what we concluded from it stands in `derived`,
 * each value with the field it came from. Everything personal stands in `personal`.
 *
 * The names of types and fields are the storage format: renaming one corrupts history. Add a version instead.
 */
import { z } from 'zod';

export const activityKind = z.enum(['call', 'email', 'meeting', 'task', 'note']);
export const callDirection = z.enum(['inbound', 'outbound', 'internal']);

const instant = z.iso.datetime({ precision: 3 }).describe('UTC, RFC 3339 with milliseconds');
const plainDate = z.iso.date().describe('a date without a zone; it is never shifted');
const text = z.string().nullable();

/** What the source said, without anything personal. Null: the source says there is none. */
export const activityFacts = z.object({
  object: z.string().describe('the object of the source, for example Task or Event'),
  type: text.describe('the type as the source names it'),
  subtype: text.describe('for example TaskSubtype'),
  callType: text.describe('the call type as the source names it'),
  callDisposition: text.describe('the result of a call as the source names it'),
  status: text,
  closed: z.boolean().nullable().describe('as the source said; null where it did not say'),
  priority: text,
  durationSeconds: z.int().nonnegative().nullable(),
  completedAt: instant.nullable(),
  startsAt: instant.nullable(),
  createdAt: instant.nullable(),
  dueOn: plainDate.nullable(),
  allDay: z.boolean(),
  ownerId: text,
  accountId: text,
  whoId: text.describe('a contact or a lead'),
  whatId: text.describe('an account, opportunity, case, campaign or another object'),
});

const derivedFrom = text.describe('the field it was derived from; null where there is no value');

/** What we concluded, each with how. A changed conclusion is a revision. */
export const activityDerived = z.object({
  kind: activityKind,
  kindFrom: z.string(),
  isClosed: z.boolean(),
  isClosedFrom: z.string(),
  direction: callDirection.nullable(),
  directionFrom: derivedFrom,
  outcome: text.describe('for example answered, missed, no answer, or the disposition in lower case'),
  outcomeFrom: derivedFrom,
  occurredAt: instant.nullable(),
  occurredAtFrom: derivedFrom,
});

const given = z
  .object({ value: text, from: z.string().describe('the column or member that it stood in') })
  .nullable()
  .describe('null where the source never said it');

/** Conclusions that the source gave itself, by a mapping or in NDJSON. They carry over like any field that is absent later. */
export const activityGiven = z.object({ kind: given, outcome: given });

export const activityPersonal = z.object({
  subject: text,
  body: text,
  names: z
    .record(z.string(), z.string())
    .describe('names that the source sent along, by role: owner, who, what, account'),
  extra: z.record(z.string(), z.string()).describe('further fields of the source, by their name there'),
  salt: z.string().min(22).max(64).describe('random, made with the first version of the activity'),
});

export const activitySnapshot = z.object({
  source: z.string(),
  sourceId: z.string(),
  sourceModifiedAt: instant.nullable(),
  ...activityFacts.shape,
  given: activityGiven,
  derived: activityDerived,
  contentHash: z.string().regex(/^h\d+:[0-9a-f]{64}$/),
  personal: activityPersonal,
});

export type ActivityKind = z.infer<typeof activityKind>;
export type ActivityFacts = z.infer<typeof activityFacts>;
export type ActivityDerived = z.infer<typeof activityDerived>;
export type ActivitySnapshot = z.infer<typeof activitySnapshot>;

export const activityEvents = {
  ActivityRecorded: { version: 1, data: activitySnapshot, about: 'An activity was seen for the first time.' },
  ActivityRevised: {
    version: 1,
    data: activitySnapshot,
    about: 'The source changed it, or we conclude something else.',
  },
  ActivityDeleted: {
    version: 1,
    data: activitySnapshot,
    about: 'The source deleted it; the snapshot is the last known.',
  },
  ActivityRestored: { version: 1, data: activitySnapshot, about: 'The source has it again after a deletion.' },
} as const;
