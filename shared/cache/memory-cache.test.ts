import { expect, test } from 'vitest';
import { at, cacheContract } from '#shared/cache/contract.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';

cacheContract('memory', async () => {
  const cache = memoryCache();
  return { caches: [cache], close: () => cache.close() };
});

test('answers are kept by bytes, and the oldest go first', async () => {
  const cache = memoryCache({ maxBytes: 1_000 });
  const answer = { asOf: { position: at(1), time: null }, body: 'x'.repeat(300) };
  for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, answer);
  expect(await cache.get('a')).toBeNull();
  expect(await cache.get('d')).toEqual(answer);
});
