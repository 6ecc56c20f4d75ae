/**
 * What every cache does, whatever it is made of. Each adapter's test file runs this suite. A cache may forget anything
 * and may take a tenant to be changed later than it was; so the suite asks for bounds where more is not promised.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cache, Progress } from '#shared/cache/cache.ts';
import { type Position, positionOf } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

export const at = (number: number): Position => positionOf('00000001', number);

/** A publication about tenants, each with its last change, and their slots, at the checkpoint `to`. */
export function progressOf(
  projection: string,
  to: number,
  tenants: Readonly<Record<string, number>>,
  more: Partial<Pick<Progress, 'generation' | 'assigned'>> & { readonly slotsOf?: readonly string[] } = {},
): Progress {
  const names = more.slotsOf ?? Object.keys(tenants);
  return {
    projection,
    generation: more.generation ?? 1,
    assigned: more.assigned ?? false,
    tenants: new Map(Object.entries(tenants).map(([tenant, position]) => [tenant, at(position)])),
    slots: new Map(names.map((tenant) => [slotOf(tenant), at(to)])),
  };
}

/** Two tenants of one slot. */
export function neighbours(): readonly [string, string] {
  const first = `t-${randomUUID()}`;
  for (;;) {
    const second = `t-${randomUUID()}`;
    if (slotOf(second) === slotOf(first)) return [first, second];
  }
}

/** `open` makes caches that know of each other, as those of the processes of one installation do. */
export function cacheContract(
  name: string,
  open: () => Promise<{ readonly caches: readonly [Cache, ...Cache[]]; close(): Promise<void> }>,
): void {
  describe(`cache contract: ${name}`, () => {
    let one: Cache;
    let other: Cache;
    let close: () => Promise<void>;

    beforeAll(async () => {
      const opened = await open();
      close = opened.close;
      one = opened.caches[0];
      other = opened.caches[1] ?? one;
    });
    afterAll(() => close());

    /** Each test has a projection and tenants of its own. */
    const fresh = () => ({ projection: `p-${randomUUID().slice(0, 8)}`, tenants: neighbours() });
    const position = async (projection: string, tenant: string) =>
      (await other.lastChanged(projection, tenant))?.position ?? null;

    test('of a projection that was never published nothing is known', async () => {
      const { projection, tenants } = fresh();
      expect(await one.lastChanged(projection, tenants[0])).toBeNull();
      expect(await one.reached(projection, slotOf(tenants[0]))).toBeNull();
    });

    test('a tenant stands at its last change, and one that is not listed at what its slot had reached when the projector began', async () => {
      const { projection, tenants } = fresh();
      const [acme, globex] = tenants;
      await one.publish(progressOf(projection, 5, {}, { assigned: true, slotsOf: tenants }));
      expect(await other.lastChanged(projection, acme)).toEqual({ generation: 1, position: at(5) });
      await one.publish(progressOf(projection, 9, {}, { slotsOf: tenants }));
      expect(await position(projection, acme)).toBe(at(5));
      await one.publish(progressOf(projection, 12, { [acme]: 11 }));
      expect(await other.lastChanged(projection, acme)).toEqual({ generation: 1, position: at(11) });
      expect(await position(projection, globex)).toBe(at(5));
      expect(await other.reached(projection, slotOf(acme))).toBe(at(12));
    });

    test('positions only rise, whatever the order of what is published', async () => {
      const { projection, tenants } = fresh();
      const [acme] = tenants;
      await one.publish(progressOf(projection, 12, { [acme]: 12 }));
      await one.publish(progressOf(projection, 7, { [acme]: 7 }));
      await other.publish(progressOf(projection, 3, { [acme]: 3 }));
      expect(await position(projection, acme)).toBe(at(12));
      expect(await other.reached(projection, slotOf(acme))).toBe(at(12));
    });

    test('a projector that begins late, where another already was, takes nothing back', async () => {
      const { projection, tenants } = fresh();
      const [acme, globex] = tenants;
      await one.publish(progressOf(projection, 12, { [acme]: 12 }));
      await other.publish(progressOf(projection, 8, {}, { assigned: true, slotsOf: tenants }));
      for (const tenant of [acme, globex])
        expect((await position(projection, tenant)) ?? '').toSatisfy((p) => p >= at(8));
      expect((await position(projection, acme)) ?? '').toSatisfy((p) => p >= at(12));
      expect(await one.reached(projection, slotOf(acme))).toBe(at(12));
      await other.publish(progressOf(projection, 9, { [acme]: 9 }));
      expect((await position(projection, acme)) ?? '').toSatisfy((p) => p >= at(12));
    });

    test('a projector that begins further on does not trust what was known of tenants: another one may have changed them', async () => {
      const { projection, tenants } = fresh();
      const [acme, globex] = tenants;
      await one.publish(progressOf(projection, 12, { [acme]: 12 }));
      await one.publish(progressOf(projection, 40, {}, { assigned: true, slotsOf: tenants }));
      expect(await position(projection, acme)).toBe(at(40));
      expect(await position(projection, globex)).toBe(at(40));
    });

    test('another generation begins anew; what an older one says no longer counts', async () => {
      const { projection, tenants } = fresh();
      const [acme] = tenants;
      await one.publish(progressOf(projection, 12, { [acme]: 12 }));
      await one.publish(progressOf(projection, 10, {}, { generation: 2, assigned: true, slotsOf: tenants }));
      await one.publish(progressOf(projection, 30, { [acme]: 30 }));
      expect(await other.lastChanged(projection, acme)).toEqual({ generation: 2, position: at(10) });
      expect(await other.reached(projection, slotOf(acme))).toBe(at(10));
    });

    test('of a slot that the new generation has not told of nothing is known', async () => {
      const { projection, tenants } = fresh();
      const elsewhere = neighbours().find((tenant) => slotOf(tenant) !== slotOf(tenants[0])) ?? 'elsewhere';
      await one.publish(progressOf(projection, 12, { [tenants[0]]: 12 }));
      await one.publish(progressOf(projection, 12, { [elsewhere]: 12 }, { generation: 2 }));
      expect(await other.lastChanged(projection, tenants[0])).toBeNull();
      expect(await other.reached(projection, slotOf(tenants[0]))).toBeNull();
    });

    test('projections know nothing of each other', async () => {
      const [a, b] = [fresh(), fresh()];
      await one.publish(progressOf(a.projection, 12, { [a.tenants[0]]: 12 }));
      expect(await other.lastChanged(b.projection, a.tenants[0])).toBeNull();
    });

    test('an answer is kept under its key, as it was; texts and values alike', async () => {
      const bodies = ['{"data":[]}\nand "more" ü \u0000', { data: [1, null, 'ü'] }, '', null];
      for (const body of bodies) {
        const key = randomUUID();
        const answer = { asOf: { position: at(4), time: '2026-11-01T10:00:00.000Z' }, body };
        expect(await one.get(key)).toBeNull();
        await one.set(key, answer);
        // What was not known a moment ago may arrive a moment later.
        await expect.poll(() => other.get(key)).toEqual(answer);
      }
    });

    test('an answer that is put anew replaces the one before', async () => {
      const key = randomUUID();
      const answer = (number: number) => ({ asOf: { position: at(number), time: null }, body: number });
      await one.set(key, answer(1));
      await one.set(key, answer(2));
      expect(await one.get(key)).toEqual(answer(2));
    });

    test('a publication wakes those who wait, and an abort ends a wait', async () => {
      const { projection, tenants } = fresh();
      const stop = new AbortController();
      const woken = other.published(projection, stop.signal);
      let awake = false;
      void woken.then(() => {
        awake = true;
      });
      // Hearing is a hint: one that listens since a moment ago may miss the first.
      await expect
        .poll(async () => {
          await one.publish(progressOf(projection, 1, {}, { slotsOf: tenants }));
          return awake;
        })
        .toBe(true);
      await woken;
      const aborted = other.published(projection, stop.signal);
      stop.abort();
      await aborted;
      await other.published(projection, stop.signal);
    });
  });
}
