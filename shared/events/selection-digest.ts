/**
 * The digest of a selection: SHA-256 over one line `id revision contentHash` an item, each ended by a line feed,
 * ordered by the bytes of the activity id. Permanent: it stands in SelectionFrozen and in receipts.
 */
import { createHash } from 'node:crypto';
import type { SelectionItem } from '#shared/events/selection.ts';

/** Ids are lower-case hexadecimal, so the order of their text is the order of their bytes. */
export function selectionDigest(items: Iterable<SelectionItem>): string {
  const ordered = [...items].sort((a, b) => (a.activityId < b.activityId ? -1 : a.activityId > b.activityId ? 1 : 0));
  const hash = createHash('sha256');
  for (const item of ordered) hash.update(`${item.activityId} ${item.revision} ${item.contentHash}\n`);
  return `sha-256:${hash.digest('hex')}`;
}
