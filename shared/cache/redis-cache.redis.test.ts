import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { connectCache } from '#shared/cache/connect.ts';
import { cacheContract } from '#shared/cache/contract.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { testRedis } from '#shared/testing/test-redis.ts';

const logger = pino({ level: 'silent' });

cacheContract('Redis, two processes', async () => {
  const redis = await testRedis();
  // What is promised does not depend on time-outs; those have tests of their own.
  const timeouts = { read: 5_000, write: 5_000 };
  // Of its own, on a Redis that others use too.
  const logId = randomUUID().slice(0, 8);
  const open = () => connectCache({ redisUrl: redis.url, logId, logger, runtime: systemRuntime, timeouts });
  const caches = [await open(), await open()] as const;
  return {
    caches,
    close: async () => {
      await Promise.all(caches.map((cache) => cache.close()));
      await redis[Symbol.asyncDispose]();
    },
  };
});
