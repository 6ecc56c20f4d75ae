import { expect, test } from 'vitest';
import { at, cacheContract } from '#shared/cache/contract.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import { slotOf } from '#shared/transport/slot.ts';

cacheContract('memory', async () => {
  const cache = memoryCache();
  return { caches: [cache], close: () => cache.close() };
});

test('where others may take its slots over, it does not say when a tenant changed last', async () => {
  const cache = memoryCache({ slotsMove: true });
  const slots = new Map([[slotOf('acme'), at(5)]]);
  const tenants = new Map([['acme', at(5)]]);
  await cache.publish({ projection: 'catalog', generation: 1, assigned: false, tenants, slots });
  expect(await cache.lastChanged('catalog', 'acme')).toBeNull();
  // How far the slot is at least stays true.
  expect(await cache.reached('catalog', slotOf('acme'))).toBe(at(5));
});

test('answers are kept by bytes, and the oldest go first', async () => {
  const cache = memoryCache({ maxBytes: 1_000 });
  const answer = { asOf: { position: at(1), time: null }, body: 'x'.repeat(300) };
  for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, answer);
  expect(await cache.get('a')).toBeNull();
  expect(await cache.get('d')).toEqual(answer);
});
