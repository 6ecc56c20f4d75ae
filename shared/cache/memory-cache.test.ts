import { expect, test } from 'vitest';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

const at = (number: number) => positionOf('00000001', number);
const slot = slotOf('acme');
const progress = (more: {
  tenants?: [string, string][];
  slots?: [number, string][];
  generation?: number;
  assigned?: boolean;
}) => ({
  projection: 'catalog',
  generation: more.generation ?? 1,
  assigned: more.assigned ?? false,
  tenants: new Map(more.tenants),
  slots: new Map(more.slots),
});

test('of a projection that was never published nothing is known', async () => {
  const cache = memoryCache();
  expect(await cache.lastChanged('catalog', 'acme')).toBeNull();
  expect(await cache.reached('catalog', slot)).toBeNull();
});

test('a tenant stands at its last change, and before it at what its slot had reached when the projector began', async () => {
  const cache = memoryCache();
  await cache.publish(progress({ slots: [[slot, at(5)]], assigned: true }));
  expect(await cache.lastChanged('catalog', 'acme')).toEqual({ generation: 1, position: at(5) });
  await cache.publish(progress({ slots: [[slot, at(9)]] }));
  expect(await cache.lastChanged('catalog', 'acme')).toEqual({ generation: 1, position: at(5) });
  await cache.publish(progress({ tenants: [['acme', at(12)]], slots: [[slot, at(12)]] }));
  expect(await cache.lastChanged('catalog', 'acme')).toEqual({ generation: 1, position: at(12) });
});

test('positions only rise, whatever the order of what is published', async () => {
  const cache = memoryCache();
  await cache.publish(progress({ tenants: [['acme', at(12)]], slots: [[slot, at(12)]] }));
  await cache.publish(progress({ tenants: [['acme', at(7)]], slots: [[slot, at(7)]] }));
  expect((await cache.lastChanged('catalog', 'acme'))?.position).toBe(at(12));
  expect(await cache.reached('catalog', slot)).toBe(at(12));
});

test('another generation makes other keys; what an older one says no longer counts', async () => {
  const cache = memoryCache();
  await cache.publish(progress({ tenants: [['acme', at(12)]], slots: [[slot, at(12)]], generation: 1 }));
  await cache.publish(progress({ slots: [[slot, at(12)]], generation: 2, assigned: true }));
  await cache.publish(progress({ tenants: [['acme', at(30)]], slots: [[slot, at(30)]], generation: 1 }));
  expect(await cache.lastChanged('catalog', 'acme')).toEqual({ generation: 2, position: at(12) });
});

test('a projector that begins anew forgets what it knew of tenants: another one may have changed them meanwhile', async () => {
  const cache = memoryCache();
  await cache.publish(progress({ tenants: [['acme', at(12)]], slots: [[slot, at(12)]] }));
  await cache.publish(progress({ slots: [[slot, at(40)]], assigned: true }));
  expect((await cache.lastChanged('catalog', 'acme'))?.position).toBe(at(40));
});

test('answers are kept by bytes, and the oldest go first', async () => {
  const cache = memoryCache({ maxBytes: 1_000 });
  const answer = { asOf: { position: at(1), time: null }, body: 'x'.repeat(300) };
  for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, answer);
  expect(await cache.get('a')).toBeNull();
  expect(await cache.get('d')).toEqual(answer);
});

test('a publication wakes those who wait, and an abort ends a wait', async () => {
  const cache = memoryCache();
  const stop = new AbortController();
  const woken = cache.published(stop.signal);
  await cache.publish(progress({ slots: [[slot, at(1)]] }));
  await woken;
  const aborted = cache.published(stop.signal);
  stop.abort();
  await aborted;
});
