/**
 * A tenant belongs for ever to one of 64 slots. Checkpoints, previous positions and waits are kept by slot, on every
 * transport, so that partitions can be added and transports exchanged.
 */
import { murmur2 } from '#shared/transport/murmur2.ts';

export const slotCount = 64;
export const allSlots: readonly number[] = Array.from({ length: slotCount }, (_, slot) => slot);

const known = new Map<string, number>();

export function slotOf(tenant: string): number {
  let slot = known.get(tenant);
  if (slot === undefined) {
    slot = (murmur2(tenant) & 0x7fffffff) % slotCount;
    // Bounded: an installation has far fewer tenants, and a flood of made-up names must not grow it.
    if (known.size < 100_000) known.set(tenant, slot);
  }
  return slot;
}
