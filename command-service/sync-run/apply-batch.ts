/**
 * Records one batch of source records: one read of the last events of all streams it touches, pure decisions, one
 * append. A conflict (another writer was faster) makes only the streams concerned be read and decided again.
 *
 * Where the records are expected to be new, nothing is read before: they are decided as new and appended with "none",
 * so that a first import costs one round trip each. The log refuses where that was wrong; those are read.
 *
 * The id of an event is made of stream, run, part and batch, so a batch repeated after a crash records nothing twice;
 * what it had recorded before is decided again from the event before, so it counts as it counted then.
 */

import { activityEvent, decideActivity, type HeldActivity } from '#command-service/activity/decider.ts';
import type { Command } from '#command-service/command.ts';
import { eventMetadata } from '#command-service/event-metadata.ts';
import {
  decideRelatedRecord,
  type HeldRelatedRecord,
  relatedRecordEvent,
} from '#command-service/related-record/decider.ts';
import { noCounts } from '#command-service/sync-run/decider.ts';
import type { RecordOutcome } from '#command-service/sync-run/record-age.ts';
import type { EventLog, RecordedEvent, StreamAppend } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { decodeEvent, encodeEvent } from '#shared/events/codec.ts';
import { newSalt } from '#shared/events/content-hash.ts';
import type { DomainEvent, StoredEvent } from '#shared/events/event.ts';
import type { SyncPlace } from '#shared/events/metadata.ts';
import { activityId, relatedRecordId, streamName, syncEventId } from '#shared/events/stream-name.ts';
import type { SyncCounts } from '#shared/events/sync-run.ts';
import type { SourceRecord } from '#shared/source-records/source-record.ts';

export interface BatchContext {
  readonly tenant: string;
  readonly source: string;
  readonly watermark: string | null;
  /** Whether to append before reading; a wrong guess costs time only. */
  readonly expectNew: boolean;
  readonly place: SyncPlace;
  /** What the events come from. */
  readonly command: Command;
  readonly now: Date;
}

export interface BatchReject {
  readonly line: number;
  readonly sourceId: string | null;
  readonly reason: string;
}

export interface AppliedBatch {
  readonly counts: SyncCounts;
  readonly rejects: readonly BatchReject[];
  readonly latestStamp: string | null;
  /** Of the last event that was appended; null where none was. */
  readonly position: Position | null;
  /** Whether most of the streams were new: a good guess about the next batch. */
  readonly mostlyNew: boolean;
}

type Record = Exclude<SourceRecord, { noun: 'rejected' }>;
type Held = HeldActivity | HeldRelatedRecord;

interface Judged {
  readonly outcomes: readonly RecordOutcome[];
  readonly event: DomainEvent | null;
}

const attempts = 20;

const streamOf = (tenant: string, source: string, record: Record): string =>
  record.noun === 'activity'
    ? streamName.activity(activityId(tenant, source, record.sourceId))
    : streamName.related(relatedRecordId(tenant, source, record.sourceId));

function heldOf(event: StoredEvent): Held {
  const place = event.metadata.sync ?? null;
  const deleted = event.type === 'ActivityDeleted' || event.type === 'RelatedRecordDeleted';
  return { snapshot: event.data, deleted, place } as Held;
}

/** Folds the records of one stream over what is held. */
function judge(before: Held | null, records: readonly Record[], context: BatchContext): Judged {
  const outcomes: RecordOutcome[] = [];
  let held = before;
  for (const record of records) {
    const decided =
      record.noun === 'activity'
        ? decideActivity(held as HeldActivity | null, record, { ...context, newSalt })
        : decideRelatedRecord(held as HeldRelatedRecord | null, record, { ...context, newSalt });
    outcomes.push(decided.outcome);
    held = decided.held;
  }
  const event =
    records[0]?.noun === 'activity'
      ? activityEvent(before as HeldActivity | null, held as HeldActivity | null)
      : relatedRecordEvent(before as HeldRelatedRecord | null, held as HeldRelatedRecord | null);
  return { outcomes, event };
}

const isOwn = (event: RecordedEvent, place: SyncPlace): boolean => {
  const sync = event.metadata.sync;
  return sync?.run === place.run && sync.part === place.part && sync.batch === place.batch;
};

/** What was held before this batch had recorded its event. */
async function heldBefore(log: EventLog, tenant: string, own: RecordedEvent): Promise<Held | null> {
  if (own.revision === 0) return null;
  for await (const event of log.readStream(tenant, own.stream, own.revision - 1)) return heldOf(decodeEvent(event));
  return null;
}

/** Text of the records that are decided on and appended together, in characters; their events are several times that. */
const sliceCharacters = 2 * 1024 * 1024;

/** The streams of a batch in runs of bounded size, so that memory does not grow with the length of bodies. */
function* slices(byStream: ReadonlyMap<string, readonly Record[]>): Generator<string[]> {
  let slice: string[] = [];
  let characters = 0;
  for (const [stream, records] of byStream) {
    for (const record of records)
      if (record.noun === 'activity') {
        characters += (record.subject?.length ?? 0) + (record.body?.length ?? 0);
        for (const value of Object.values(record.extra)) characters += value?.length ?? 0;
      }
    slice.push(stream);
    if (characters < sliceCharacters) continue;
    yield slice;
    slice = [];
    characters = 0;
  }
  if (slice.length > 0) yield slice;
}

export async function applyBatch(
  log: EventLog,
  records: readonly SourceRecord[],
  context: BatchContext,
): Promise<AppliedBatch> {
  const { tenant, source, place } = context;
  const rejects: BatchReject[] = [];
  const taken: Record[] = [];
  for (const record of records) {
    if (record.noun === 'rejected')
      rejects.push({ line: record.line, sourceId: record.sourceId, reason: record.reason.slice(0, 500) });
    else taken.push(record);
  }
  const byStream = Map.groupBy(taken, (record) => streamOf(tenant, source, record));
  const outcomes = new Map<string, readonly RecordOutcome[]>();
  let position: Position | null = null;
  let newStreams = 0;

  for (const slice of slices(byStream)) {
    let open = slice;
    for (let attempt = 0; open.length > 0; attempt++) {
      if (attempt >= attempts)
        throw new Error(`batch ${place.part}/${place.batch} of sync run ${place.run} met conflicts ${attempts} times`);
      const guessing = context.expectNew && attempt === 0;
      const last: ReadonlyMap<string, RecordedEvent> = guessing ? new Map() : await log.readLast(tenant, open);
      const appends: StreamAppend[] = [];
      const unsure: string[] = [];
      for (const stream of open) {
        const stored = last.get(stream);
        const ofStream = byStream.get(stream) as readonly Record[];
        if (stored && isOwn(stored, place)) {
          outcomes.set(stream, judge(await heldBefore(log, tenant, stored), ofStream, context).outcomes);
          continue;
        }
        const judged = judge(stored ? heldOf(decodeEvent(stored)) : null, ofStream, context);
        outcomes.set(stream, judged.outcomes);
        if (!judged.event) {
          if (guessing) unsure.push(stream);
          continue;
        }
        encodeEvent(judged.event);
        appends.push({
          stream,
          expected: stored ? stored.revision : 'none',
          events: [
            {
              id: syncEventId(stream, place.run, place.part, place.batch),
              type: judged.event.type,
              data: judged.event.data,
              metadata: { ...eventMetadata(context.command, tenant, judged.event.type, context.now), sync: place },
            },
          ],
        });
      }
      const results = appends.length > 0 ? await log.append(appends) : [];
      open = unsure;
      results.forEach((result, index) => {
        const { stream, expected } = appends[index] as StreamAppend;
        if (result.outcome === 'appended') {
          if (expected === 'none') newStreams++;
          if (result.position !== null && (position === null || result.position > position)) position = result.position;
        } else if (result.outcome === 'conflict' || guessing) open.push(stream);
        else {
          outcomes.delete(stream);
          for (const record of byStream.get(stream) ?? [])
            rejects.push({
              line: record.line,
              sourceId: record.sourceId,
              reason: `the record takes ${result.bytes} bytes; ${result.limit} are the limit`,
            });
        }
      });
    }
  }

  const counts = { ...noCounts, received: records.length, rejected: rejects.length };
  for (const ofStream of outcomes.values()) for (const outcome of ofStream) counts[outcome]++;
  const stamps = taken.flatMap((record) => (record.sourceModifiedAt === null ? [] : [record.sourceModifiedAt])).sort();
  return {
    counts,
    rejects,
    latestStamp: stamps.at(-1) ?? null,
    position,
    mostlyNew: byStream.size === 0 ? context.expectNew : newStreams * 2 >= byStream.size,
  };
}
