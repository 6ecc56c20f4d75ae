/** The connection to Redis as all who use it see it: an answer soon, or none. What is behind it is told in breaker.ts. */
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { cacheMetrics } from '#shared/cache/metrics.ts';
import type { RedisAddress } from '#shared/cache/redis/address.ts';
import { type BreakerState, breaker } from '#shared/cache/redis/breaker.ts';
import { connectedClient } from '#shared/cache/redis/client.ts';
import type { FirstConnection } from '#shared/cache/redis/first-connection.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { TimedOut, within } from '#shared/runtime/within.ts';

const breakerNumbers: Record<BreakerState, number> = { closed: 0, 'half-open': 1, open: 2 };
/** A server that refuses a kind of command refuses each; the log need not have all. */
const complaintMilliseconds = 60_000;

export interface RedisConnection {
  readonly state: BreakerState;
  /** The answer within so many milliseconds; undefined where Redis is away, slow, or refuses. Never rejects. */
  run<T>(milliseconds: number, command: (client: Redis) => Promise<T>): Promise<T | undefined>;
  close(): Promise<void>;
}

export function redisConnection(options: {
  readonly address: RedisAddress;
  readonly first: FirstConnection;
  readonly logger: Logger;
  readonly runtime: Runtime;
}): RedisConnection {
  const { address, logger, runtime } = options;
  let current: Redis | null = null;
  let complainedAt = Number.NEGATIVE_INFINITY;
  let away = false;

  const guard = breaker({
    runtime,
    attempt: async () => use(await connectedClient(address)),
    changed(state, reason) {
      cacheMetrics.breaker.set(breakerNumbers[state]);
      if (state === 'closed') {
        away = false;
        logger.info({ redis: address.place }, 'Redis is back');
      }
      if (state !== 'open') return;
      // What waits for it still is answered now: nothing stays queued for a server that is away.
      current?.disconnect();
      current = null;
      if (!away)
        logger.warn(
          { redis: address.place, error: reason },
          'Redis is away; until it is back each process caches for itself',
        );
      away = true;
    },
  });
  cacheMetrics.breaker.set(breakerNumbers.closed);

  function use(client: Redis): void {
    current = client;
    client.once('end', () => {
      if (current === client) guard.lost('the connection was closed');
    });
  }

  function fail(client: Redis, error: Error): void {
    // Of a connection that was given up already.
    if (client !== current) return;
    if (error.name === 'ReplyError') {
      // It answered: it is there, and does not want this command (read-only, out of memory, not permitted).
      cacheMetrics.failures.inc({ reason: 'refused' });
      guard.succeeded();
      const now = runtime.now().getTime();
      if (now - complainedAt < complaintMilliseconds) return;
      complainedAt = now;
      logger.warn({ redis: address.place, error: error.message }, 'Redis refuses a command');
      return;
    }
    cacheMetrics.failures.inc({ reason: error instanceof TimedOut ? 'timeout' : 'connection' });
    guard.failed(error.message);
  }

  if (options.first.client) use(options.first.client);
  else guard.lost(options.first.reason);

  return {
    get state() {
      return guard.state;
    },
    async run(milliseconds, command) {
      const client = current;
      if (client === null || guard.state !== 'closed') return undefined;
      try {
        const answer = await within(milliseconds, command(client));
        if (client === current) guard.succeeded();
        return answer;
      } catch (error) {
        fail(client, error as Error);
        return undefined;
      }
    },
    async close() {
      const client = current;
      current = null;
      client?.disconnect();
      await guard.close();
      // A trial may have connected in the last moment.
      (current as Redis | null)?.disconnect();
    },
  };
}
