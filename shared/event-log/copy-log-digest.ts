/**
 * What a log holds, slot by slot, as a count and a digest over its events in order. Positions are left out: they are a
 * log's own. So two logs with the same figures hold the same events, and those of each tenant in the same order.
 */
import { createHash } from 'node:crypto';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { allSlots } from '#shared/transport/slot.ts';

export interface LogDigest {
  add(slot: number, event: RecordedEvent): void;
  count(slot: number): number;
  total(): number;
  /** Whether a slot holds the same events in the same order. */
  agrees(slot: number, other: LogDigest): boolean;
  /** Of one slot up to here, hexadecimal. */
  ofSlot(slot: number): string;
  /** Of all slots, as people compare it: "sha-256:" and hexadecimal. */
  ofAll(): string;
}

/** Everything that must survive. As JSON it holds no line break, so events on lines cannot be mistaken. */
export const eventText = ({ stream, revision, id, type, data, metadata }: RecordedEvent): string =>
  JSON.stringify([stream, revision, id, type, data, metadata]);

export function logDigest(): LogDigest {
  const hashes = allSlots.map(() => createHash('sha256'));
  const counts = allSlots.map(() => 0);
  const count = (slot: number) => counts[slot] as number;
  const ofSlot = (slot: number) => (hashes[slot] as (typeof hashes)[number]).copy().digest('hex');
  return {
    add(slot, event) {
      hashes[slot]?.update(`${eventText(event)}\n`);
      counts[slot] = count(slot) + 1;
    },
    count,
    total: () => counts.reduce((sum, each) => sum + each, 0),
    agrees: (slot, other) => count(slot) === other.count(slot) && ofSlot(slot) === other.ofSlot(slot),
    ofSlot,
    ofAll() {
      const lines = allSlots
        .filter((slot) => count(slot) > 0)
        .map((slot) => `${slot} ${count(slot)} ${ofSlot(slot)}\n`);
      return `sha-256:${createHash('sha256').update(lines.join('')).digest('hex')}`;
    },
  };
}
