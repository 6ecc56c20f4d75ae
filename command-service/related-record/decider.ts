/** Decides what a source record does to a related record; see the activity's decider for the rules they share. */

import { type Held, judgeAge, type RecordOutcome } from '#command-service/sync-run/record-age.ts';
import { relatedRecordContentHash } from '#shared/events/content-hash.ts';
import type { DomainEvent } from '#shared/events/event.ts';
import type { SyncPlace } from '#shared/events/metadata.ts';
import type { RelatedRecordLinks, RelatedRecordSnapshot } from '#shared/events/related-record.ts';
import type { RelatedRecord } from '#shared/source-records/source-record.ts';

export type HeldRelatedRecord = Held<RelatedRecordSnapshot>;

const linkNames = [
  'accountId',
  'contactId',
  'managerId',
  'teamId',
] as const satisfies readonly (keyof RelatedRecordLinks)[];

function merged(
  held: RelatedRecordSnapshot | null,
  record: RelatedRecord,
  source: string,
  salt: string,
): RelatedRecordSnapshot {
  const links = Object.fromEntries(
    linkNames.map((name) => [name, record.links[name] === undefined ? (held?.[name] ?? null) : record.links[name]]),
  ) as unknown as RelatedRecordLinks;
  const name = record.name === undefined ? (held?.personal.name ?? null) : record.name;
  const email = record.email === undefined ? (held?.personal.email ?? null) : record.email;
  const content = { source, sourceId: record.sourceId, type: record.type, ...links, name, email };
  return {
    source,
    sourceId: record.sourceId,
    sourceModifiedAt: record.sourceModifiedAt ?? held?.sourceModifiedAt ?? null,
    type: record.type,
    ...links,
    contentHash: relatedRecordContentHash(salt, content),
    personal: { name, email, salt },
  };
}

export function decideRelatedRecord(
  held: HeldRelatedRecord | null,
  record: RelatedRecord,
  context: {
    readonly source: string;
    readonly place: SyncPlace;
    readonly watermark: string | null;
    readonly newSalt: () => string;
  },
): { readonly outcome: RecordOutcome; readonly held: HeldRelatedRecord | null } {
  const { source, place, watermark } = context;
  if (held && judgeAge(held, record.sourceModifiedAt, place, watermark) === 'stale') return { outcome: 'stale', held };
  const snapshot = merged(held?.snapshot ?? null, record, source, held?.snapshot.personal.salt ?? context.newSalt());
  if (held && held.deleted === record.deleted && held.snapshot.contentHash === snapshot.contentHash)
    return { outcome: 'unchanged', held };
  const outcome = record.deleted ? 'deleted' : held === null ? 'recorded' : 'revised';
  return { outcome, held: { snapshot, deleted: record.deleted, place } };
}

export function relatedRecordEvent(
  before: HeldRelatedRecord | null,
  after: HeldRelatedRecord | null,
): DomainEvent | null {
  if (after === null || after === before) return null;
  const data = after.snapshot;
  if (after.deleted) return { type: 'RelatedRecordDeleted', data };
  return before === null ? { type: 'RelatedRecordAdded', data } : { type: 'RelatedRecordRevised', data };
}
