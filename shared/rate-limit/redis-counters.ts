/** Counters that processes share through Redis. Where it is away or slow, each process counts for itself. */
import type { RedisConnection } from '#shared/cache/redis/connection.ts';
import type { Counters } from '#shared/rate-limit/counters.ts';
import { memoryCounters } from '#shared/rate-limit/memory-counters.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** Of what a request waits for. */
const timeoutMilliseconds = 20;

/** One round trip, and no counter without an end. */
const countScript = `
local count = redis.call('incr', KEYS[1])
if count == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end
return { count, redis.call('pttl', KEYS[1]) }`;

/** `prefix` tells installations apart that share a Redis. */
export function redisCounters(connection: Pick<RedisConnection, 'run'>, prefix: string, runtime: Runtime): Counters {
  const own = memoryCounters(runtime);
  return {
    async count(key, windowMilliseconds) {
      const counted = await connection.run(
        timeoutMilliseconds,
        (redis) => redis.eval(countScript, 1, `${prefix}count:${key}`, windowMilliseconds) as Promise<[number, number]>,
      );
      if (!counted) return own.count(key, windowMilliseconds);
      const [count, milliseconds] = counted;
      return { count, milliseconds };
    },
  };
}
