/** The cache that the settings ask for: Redis where its URL is given, else the memory of this process. */
import type { Logger } from 'pino';
import type { Cache } from '#shared/cache/cache.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import { redisAddress } from '#shared/cache/redis/address.ts';
import { firstConnection } from '#shared/cache/redis/first-connection.ts';
import { keyPrefix, type RedisCacheOptions, redisCache } from '#shared/cache/redis-cache.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface CacheSettings {
  /** REDIS_URL */
  readonly redisUrl?: string | undefined;
  /** REDIS_TLS_CA_FILE */
  readonly redisTlsCaFile?: string | undefined;
  /** Other processes may take over the slots that this one applies; Redis then knows, the memory of a process does not. */
  readonly slotsMove?: boolean;
  /** Installations that share a Redis are told apart by their event logs. */
  readonly logId: string;
  readonly logger: Logger;
  readonly runtime: Runtime;
  /** Of Redis; the usual ones where they are not given. */
  readonly timeouts?: NonNullable<RedisCacheOptions['timeouts']>;
}

/** Rejects with a SetupError where the settings are wrong. A Redis that is away is used as soon as it is there. */
export async function connectCache({
  redisUrl,
  redisTlsCaFile,
  slotsMove = false,
  ...parts
}: CacheSettings): Promise<Cache> {
  if (!redisUrl) return memoryCache({ slotsMove });
  const address = redisAddress(redisUrl, redisTlsCaFile);
  const first = await firstConnection(address, keyPrefix(parts.logId));
  if (first.client) parts.logger.info({ redis: address.place, tls: address.tls }, 'the cache is in Redis');
  return redisCache({ ...parts, address, first });
}
