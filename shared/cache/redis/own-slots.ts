/**
 * What this process told of each slot, and so what it has to tell next: from where to where. Redis compares the "from"
 * with what it has; where it is later, something in between was not told (Redis was away, was flushed, timed out), and
 * Redis takes it that anybody may have changed. So nothing that was lost has to be kept and sent again.
 */
import type { Progress } from '#shared/cache/cache.ts';
import { laterOf, type Position } from '#shared/event-log/position.ts';

export interface SlotStep {
  readonly slot: number;
  /** Null: what was before is not known to this process. */
  readonly from: Position | null;
  readonly to: Position;
}

export interface SlotSteps {
  readonly projection: string;
  readonly generation: number;
  readonly steps: readonly SlotStep[];
  readonly tenants: ReadonlyMap<string, Position>;
}

interface Own {
  generation: number;
  movedAt: number;
  readonly slots: Map<number, { position: Position; movedAt: number }>;
}

/**
 * Watermarks move all slots of a projector together, so a slot that stands while others go on was given to another
 * process, and is no longer ours to vouch for.
 */
const leftBehindMilliseconds = 10_000;

export interface OwnSlots {
  /** The steps of a publication; `now` in milliseconds. */
  stepsOf(progress: Progress, now: number): SlotSteps;
  /** How far the slot is for certain: it was told after the commit. Another process may be further. */
  reached(projection: string, slot: number): Position | null;
  /** All that this process can vouch for, as it stands. */
  again(): SlotSteps[];
}

export function ownSlots(): OwnSlots {
  const projections = new Map<string, Own>();
  return {
    stepsOf({ projection, generation, assigned, slots, tenants }, now) {
      let own = projections.get(projection);
      if (!own || own.generation < generation) {
        own = { generation, movedAt: now, slots: new Map() };
        projections.set(projection, own);
      }
      const steps: SlotStep[] = [];
      for (const [slot, to] of slots) {
        const before = own.generation === generation ? own.slots.get(slot)?.position : undefined;
        steps.push({ slot, from: assigned || before === undefined || before > to ? null : before, to });
        if (own.generation !== generation) continue;
        own.slots.set(slot, { position: laterOf(to, before ?? to), movedAt: now });
        own.movedAt = now;
      }
      return { projection, generation, steps, tenants };
    },
    reached: (projection, slot) => projections.get(projection)?.slots.get(slot)?.position ?? null,
    again: () =>
      [...projections].map(([projection, { generation, movedAt, slots }]) => ({
        projection,
        generation,
        tenants: new Map(),
        steps: [...slots].flatMap(([slot, own]) =>
          movedAt - own.movedAt > leftBehindMilliseconds ? [] : [{ slot, from: own.position, to: own.position }],
        ),
      })),
  };
}
