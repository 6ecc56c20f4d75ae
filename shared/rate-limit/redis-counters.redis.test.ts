import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { redisAddress } from '#shared/cache/redis/address.ts';
import { redisConnection } from '#shared/cache/redis/connection.ts';
import { firstConnection } from '#shared/cache/redis/first-connection.ts';
import { keyPrefix } from '#shared/cache/redis-cache.ts';
import { countersContract } from '#shared/rate-limit/contract.ts';
import { redisCounters } from '#shared/rate-limit/redis-counters.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { startRedisServer } from '#shared/testing/redis-server.ts';
import { testRedis } from '#shared/testing/test-redis.ts';

async function connect(url: string, prefix: string) {
  const address = redisAddress(url);
  const logger = pino({ level: 'silent' });
  const first = await firstConnection(address, prefix);
  const connection = redisConnection({ address, first, logger, runtime: systemRuntime });
  // What is promised does not depend on time-outs.
  const patient = {
    run: <T>(_: number, command: Parameters<typeof connection.run<T>>[1]) => connection.run(5_000, command),
  };
  return { counters: redisCounters(patient, prefix, systemRuntime), close: () => connection.close() };
}
const prefixOf = () => keyPrefix(randomUUID().slice(0, 8));

countersContract('Redis, two processes', async () => {
  const redis = await testRedis();
  const prefix = prefixOf();
  const [one, other] = [await connect(redis.url, prefix), await connect(redis.url, prefix)];
  return {
    counters: [one.counters, other.counters],
    close: async () => {
      await Promise.all([one.close(), other.close()]);
      await redis[Symbol.asyncDispose]();
    },
  };
});

test('while Redis is away each process counts for itself, and together again afterwards', async () => {
  await using redis = await startRedisServer();
  const prefix = prefixOf();
  const [one, other] = [await connect(redis.url, prefix), await connect(redis.url, prefix)];
  const key = randomUUID();
  const both = async () => [
    (await one.counters.count(key, 60_000)).count,
    (await other.counters.count(key, 60_000)).count,
  ];
  expect(await both()).toEqual([1, 2]);
  await redis.kill();
  expect(await both()).toEqual([1, 1]);
  expect(await both()).toEqual([2, 2]);
  await redis.restart();
  const fresh = async () => {
    const another = randomUUID();
    return [(await one.counters.count(another, 60_000)).count, (await other.counters.count(another, 60_000)).count];
  };
  await expect.poll(fresh, { timeout: 15_000 }).toEqual([1, 2]);
  await Promise.all([one.close(), other.close()]);
});
