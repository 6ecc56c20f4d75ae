/**
 * The cache of many processes: Redis, behind each process's own memory. Only answers are kept in memory, because their
 * keys hold positions: what a key stands for never changes. How far the projections are is asked of Redis each time.
 * Where Redis is away nothing is known of that, and callers ask the database.
 */
import type { Logger } from 'pino';
import type { Cache } from '#shared/cache/cache.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import { cacheMetrics } from '#shared/cache/metrics.ts';
import type { RedisAddress } from '#shared/cache/redis/address.ts';
import { answerOfText, answerText } from '#shared/cache/redis/answer-text.ts';
import { listeningClient } from '#shared/cache/redis/client.ts';
import { redisConnection } from '#shared/cache/redis/connection.ts';
import type { FirstConnection } from '#shared/cache/redis/first-connection.ts';
import { ownSlots, type SlotSteps } from '#shared/cache/redis/own-slots.ts';
import { readLastChanged, readReached, tellProgress } from '#shared/cache/redis/progress.ts';
import { wakeUps } from '#shared/cache/wake-ups.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** Milliseconds: of what a request waits for; and of publications, for which a projector waits, and of storing. */
const usualTimeouts = { read: 20, write: 50 };
const tellAgainMilliseconds = 1_000;
const answerSeconds = 600;
/** Of an answer in Redis, in characters; larger ones stay in the process. */
const largestAnswer = 512 * 1024;
/** On their way to Redis at once, in characters; beyond, answers are not sent. */
const mostUnderWay = 8 * 1024 * 1024;

/** Of all keys and channels of an installation. The number is that of their layout. */
export const keyPrefix = (logId: string): string => `cool-mint:1:${logId}:`;

export interface RedisCacheOptions {
  readonly address: RedisAddress;
  readonly first: FirstConnection;
  /** Installations that share a Redis are told apart by their logs. */
  readonly logId: string;
  readonly logger: Logger;
  readonly runtime: Runtime;
  /** Longer ones, for tests that are about other things. */
  readonly timeouts?: typeof usualTimeouts;
}

export function redisCache({
  address,
  first,
  logId,
  logger,
  runtime,
  timeouts = usualTimeouts,
}: RedisCacheOptions): Cache {
  const prefix = keyPrefix(logId);
  // Channels do not belong to a database of Redis, keys do.
  const channel = `${prefix}${address.database}:published`;
  const memory = memoryCache();
  const connection = redisConnection({ address, first, logger, runtime });
  const waiting = wakeUps();
  const listener = listeningClient(address, channel, runtime.random, waiting.wake);
  const own = ownSlots();
  const stop = new AbortController();
  let underWay = 0;

  const tell = (told: SlotSteps) =>
    connection.run(timeouts.write, (redis) => tellProgress(redis, prefix, channel, told));

  const repeating = (async () => {
    while (!stop.signal.aborted) {
      await runtime.sleep(tellAgainMilliseconds, stop.signal);
      if (stop.signal.aborted) return;
      for (const told of own.again()) await tell(told);
    }
  })();

  return {
    async publish(progress) {
      const steps = own.stepsOf(progress, runtime.now().getTime());
      waiting.wake(progress.projection);
      await tell(steps);
    },
    async lastChanged(projection, tenant) {
      return (
        (await connection.run(timeouts.read, (redis) => readLastChanged(redis, prefix, projection, tenant))) ?? null
      );
    },
    async reached(projection, slot) {
      const told = await connection.run(timeouts.read, (redis) => readReached(redis, prefix, projection, slot));
      // What this process told itself holds whether Redis heard it or not.
      return told ?? own.reached(projection, slot);
    },
    async get(key) {
      const near = await memory.get(key);
      if (near) return near;
      const stored = await connection.run(timeouts.read, (redis) => redis.get(`${prefix}answer:${key}`));
      const answer = stored ? answerOfText(stored) : null;
      cacheMetrics.answers.inc({
        level: 'redis',
        result: answer ? 'hit' : stored === undefined ? 'unavailable' : 'miss',
      });
      if (answer) await memory.set(key, answer);
      return answer;
    },
    async set(key, answer) {
      await memory.set(key, answer);
      const text = answerText(answer);
      if (text.length > largestAnswer || underWay + text.length > mostUnderWay) return;
      underWay += text.length;
      void connection
        .run(timeouts.write, (redis) => redis.set(`${prefix}answer:${key}`, text, 'EX', answerSeconds))
        .finally(() => {
          underWay -= text.length;
        });
    },
    published: waiting.next,
    async close() {
      stop.abort();
      listener.close();
      await Promise.all([repeating, connection.close()]);
    },
  };
}
