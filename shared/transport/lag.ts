/**
 * How far a projection is behind the log, in events and in seconds. Where a relay counts what it sends, what was sent is
 * a matter of subtraction; the rest is counted in one page of the log.
 */
import type { LogPage } from '#shared/event-log/event-log.ts';
import { laterOf, logIdOf, type Position } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

/** Events that are counted one by one, at most. */
export const lagPage = 1_000;

/** By slot: up to where a projection has applied it, and the count of the last event, where it is known. */
export interface SlotProgress {
  readonly position: Position;
  readonly ordinal: number | null;
}

/** What a relay has sent: up to where, and of each slot its last event and its count. */
export interface SentProgress {
  readonly position: Position;
  readonly previous: readonly Position[];
  readonly ordinals: readonly number[];
}

export interface Lag {
  readonly events: number;
  /** Whether there are no more; else they are at least so many. */
  readonly exact: boolean;
  /** Age of the oldest event that is not applied. */
  readonly seconds: number;
}

export interface Standing {
  /** Where to read the page of the log that lagOf takes. */
  readonly after: Position;
  lagOf(page: LogPage, now: Date): Lag;
}

/** `sent` is null without Kafka, and means nothing where it is of another log. */
export function standingOf(
  log: { readonly id: string; readonly start: Position },
  slots: readonly SlotProgress[],
  sent: SentProgress | null,
): Standing {
  const ours = sent !== null && logIdOf(sent.position) === log.id ? sent : null;
  // Of a log that was exchanged nothing is applied, until the projection is rebuilt.
  const applied = slots.map(({ position }) => (logIdOf(position) === log.id ? position : log.start));
  /** Events that were sent and are not applied; null where nobody knows. */
  const behind = applied.map((position, slot) => {
    if (!ours) return null;
    if (position >= (ours.previous[slot] as Position)) return 0;
    const ordinal = slots[slot]?.ordinal ?? null;
    return ordinal === null ? null : Math.max(0, (ours.ordinals[slot] as number) - ordinal);
  });
  // A slot of which all that was sent is applied lacks nothing before the place up to which was sent.
  const from = applied.map((position, slot) =>
    ours && behind[slot] === 0 ? laterOf(position, ours.position) : position,
  );
  return {
    after: from.reduce((least, position) => (position < least ? position : least)),
    lagOf({ events, end }, now) {
      const missing = events.filter((event) => event.position > (applied[slotOf(event.metadata.tenant)] as Position));
      const counted = missing.filter(
        (event) => behind[slotOf(event.metadata.tenant)] === null || (ours && event.position > ours.position),
      );
      const oldest = missing[0]?.metadata.recordedAt;
      return {
        events: counted.length + behind.reduce<number>((sum, count) => sum + (count ?? 0), 0),
        exact: end,
        seconds: oldest ? Math.max(0, (now.getTime() - Date.parse(oldest)) / 1000) : 0,
      };
    },
  };
}
