/**
 * Decides what a source record does to an activity. The last event of the stream is all that is needed: it carries
 * the full snapshot. Records of one batch are folded one over another, as if each were applied singly, into at most
 * one event a stream.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Held, judgeAge, type RecordOutcome } from '#command-service/sync-run/record-age.ts';
import type { ActivityFacts, ActivitySnapshot } from '#shared/events/activity.ts';
import { activityContentHash } from '#shared/events/content-hash.ts';
import type { DomainEvent } from '#shared/events/event.ts';
import type { SyncPlace } from '#shared/events/metadata.ts';
import { derive } from '#shared/source-records/derive.ts';
import type { ActivityRecord } from '#shared/source-records/source-record.ts';

export type HeldActivity = Held<ActivitySnapshot>;

const noFacts: Omit<ActivityFacts, 'object'> = {
  type: null,
  subtype: null,
  callType: null,
  callDisposition: null,
  status: null,
  closed: null,
  priority: null,
  durationSeconds: null,
  completedAt: null,
  startsAt: null,
  createdAt: null,
  dueOn: null,
  allDay: false,
  ownerId: null,
  accountId: null,
  whoId: null,
  whatId: null,
};

/** What is absent from the record is carried over; what is null there is null now. */
function merged(held: ActivitySnapshot | null, record: ActivityRecord, source: string, salt: string): ActivitySnapshot {
  const said = Object.fromEntries(Object.entries(record.facts).filter(([, value]) => value !== undefined));
  const before: Omit<ActivityFacts, 'object'> = held ?? noFacts;
  const facts = { object: record.object } as ActivityFacts;
  for (const field of Object.keys(noFacts) as (keyof typeof noFacts)[])
    Object.assign(facts, { [field]: field in said ? (said as typeof noFacts)[field] : before[field] });
  const subject = record.subject === undefined ? (held?.personal.subject ?? null) : record.subject;
  const body = record.body === undefined ? (held?.personal.body ?? null) : record.body;
  const extra: Record<string, string> = { ...held?.personal.extra };
  for (const [name, value] of Object.entries(record.extra)) {
    if (value === null) delete extra[name];
    else extra[name] = value;
  }
  const given = {
    kind: record.kind ?? held?.given.kind ?? null,
    outcome: record.outcome ?? held?.given.outcome ?? null,
  };
  const content = { source, sourceId: record.sourceId, ...facts, subject, body, extra };
  return {
    source,
    sourceId: record.sourceId,
    sourceModifiedAt: record.sourceModifiedAt ?? held?.sourceModifiedAt ?? null,
    ...facts,
    given,
    derived: derive({ facts, subject, kind: given.kind ?? undefined, outcome: given.outcome ?? undefined }),
    contentHash: activityContentHash(salt, content),
    personal: { subject, body, names: { ...held?.personal.names, ...record.names }, extra, salt },
  };
}

/** What one record does to what is held; `newSalt` is used for the first version only. */
export function decideActivity(
  held: HeldActivity | null,
  record: ActivityRecord,
  context: {
    readonly source: string;
    readonly place: SyncPlace;
    readonly watermark: string | null;
    readonly newSalt: () => string;
  },
): { readonly outcome: RecordOutcome; readonly held: HeldActivity | null } {
  const { source, place, watermark } = context;
  if (held && judgeAge(held, record.sourceModifiedAt, place, watermark) === 'stale') return { outcome: 'stale', held };
  const snapshot = merged(held?.snapshot ?? null, record, source, held?.snapshot.personal.salt ?? context.newSalt());
  const unchanged =
    held !== null &&
    held.deleted === record.deleted &&
    held.snapshot.contentHash === snapshot.contentHash &&
    isDeepStrictEqual(held.snapshot.derived, snapshot.derived);
  if (unchanged) return { outcome: 'unchanged', held };
  const outcome = record.deleted ? 'deleted' : held === null ? 'recorded' : 'revised';
  return { outcome, held: { snapshot, deleted: record.deleted, place } };
}

/** The one event that leads from what was held before a batch to what is held after it; none where nothing changed. */
export function activityEvent(before: HeldActivity | null, after: HeldActivity | null): DomainEvent | null {
  if (after === null || after === before) return null;
  const data = after.snapshot;
  if (after.deleted) return { type: 'ActivityDeleted', data };
  if (before === null) return { type: 'ActivityRecorded', data };
  return { type: before.deleted ? 'ActivityRestored' : 'ActivityRevised', data };
}
