/**
 * The server's memory of the event ids that it committed last. An append that expects "any" revision is recognised as
 * a repetition by this memory alone, which is why such a repetition writes duplicates after a restart, or when enough
 * other events pushed the first ones out.
 */

/** Where an event with this id was committed last. */
export interface CommittedAt {
  readonly stream: string;
  readonly revision: number;
}

/** First in, first out, bounded by bytes. */
export interface RecentIds {
  get(id: string): CommittedAt | undefined;
  put(id: string, at: CommittedAt): void;
  /** What a restart of the server does. */
  clear(): void;
}

/** 8 MiB, as in server 23.10: about 60,000 to 80,000 events. */
export const defaultRecentIdBytes = 8 * 1024 * 1024;

/** An id takes 16 bytes, a revision and a reference 12, a stream's name two for each character. */
const bytesOf = ({ stream }: CommittedAt): number => 28 + 2 * stream.length;

/** @param limit bytes; 0 remembers nothing */
export function recentIds(limit: number): RecentIds {
  const entries = new Map<string, CommittedAt>();
  // The order of arrival stands beside the map, because a Map that loses its first key again and again gets slow.
  let order: { readonly id: string; readonly at: CommittedAt }[] = [];
  let oldest = 0;
  let bytes = 0;

  function forgetOldest(): void {
    const { id, at } = order[oldest++]!;
    // An id that was committed again meanwhile belongs to its later entry.
    if (entries.get(id) === at) entries.delete(id);
    bytes -= bytesOf(at);
    if (oldest * 2 > order.length && oldest > 1_000) {
      order = order.slice(oldest);
      oldest = 0;
    }
  }

  return {
    get: (id) => entries.get(id),
    put(id, at) {
      entries.set(id, at);
      order.push({ id, at });
      bytes += bytesOf(at);
      while (bytes > limit) forgetOldest();
    },
    clear() {
      entries.clear();
      order = [];
      oldest = 0;
      bytes = 0;
    },
  };
}
