/**
 * Whether a record of the source is newer than what we hold. Newer means greater (stamp of the source, epoch, part,
 * batch), never mere arrival. A record without a stamp never beats one that has one.
 */
import type { SyncPlace } from '#shared/events/metadata.ts';

export type RecordOutcome = 'recorded' | 'revised' | 'unchanged' | 'stale' | 'deleted';

/** What the last event of a stream tells. */
export interface Held<Snapshot extends { readonly sourceModifiedAt: string | null }> {
  readonly snapshot: Snapshot;
  readonly deleted: boolean;
  /** Null where it did not come with a sync run. */
  readonly place: SyncPlace | null;
}

function comparePlaces(a: SyncPlace, b: SyncPlace): number {
  return a.epoch - b.epoch || a.part - b.part || a.batch - b.batch;
}

/**
 * `watermark`: the latest stamp that a completed full or incremental run of the source has seen. A record that changed
 * after what we hold, yet not after the watermark, is old news: that run saw the source as it was later. (Equal stamps
 * are the same version of the record, perhaps with another mapping: there the later run wins.)
 */
export function judgeAge(
  held: Held<{ readonly sourceModifiedAt: string | null }>,
  stamp: string | null,
  place: SyncPlace,
  watermark: string | null,
): 'newer' | 'stale' {
  const heldStamp = held.snapshot.sourceModifiedAt;
  if (stamp === null && heldStamp !== null) return 'stale';
  if (stamp !== null && heldStamp !== null && stamp !== heldStamp) {
    if (stamp < heldStamp) return 'stale';
    return watermark !== null && stamp <= watermark ? 'stale' : 'newer';
  }
  if (stamp !== null && heldStamp === null) return 'newer';
  return held.place !== null && comparePlaces(place, held.place) < 0 ? 'stale' : 'newer';
}
