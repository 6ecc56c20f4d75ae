import type { Redis } from 'ioredis';
import { type Check, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { projections } from '#projector/projections.ts';
import { readReached } from '#shared/cache/redis/progress.ts';
import { keyPrefix } from '#shared/cache/redis-cache.ts';

const group = 'cache';
const pings = 9;
/** A cache that answers later than that is given up by the services: see redis/client.ts. */
const slowMilliseconds = 10;

export function cacheChecks({ foundRedis, redis, log, atWork }: Installation): Check[] {
  return [
    {
      group,
      name: 'reachable',
      async run() {
        const client = await foundRedis();
        const facts = await factsOf(client);
        const place = `${client.options.host}:${client.options.port}`;
        return facts.get('role') === 'slave'
          ? failed(`REDIS_URL: the Redis at ${place} is a replica, which takes no writes.`, 'Name the primary.')
          : ok(`version ${facts.get('redis_version')} at ${place}`);
      },
    },
    {
      group,
      name: 'memory',
      async run() {
        const facts = await factsOf(await redis());
        const [most, policy] = [Number(facts.get('maxmemory')), facts.get('maxmemory_policy') ?? ''];
        if (most === 0) return ok('no limit is set (maxmemory 0); keys expire by themselves');
        if (policy === 'noeviction')
          return warning(
            'Redis is limited (maxmemory), and refuses writes when it is full (maxmemory-policy noeviction).',
            'Set maxmemory-policy to allkeys-lru: all of it is a cache.',
          );
        return ok(`${Math.round(most / 1_000_000)} MB, ${policy}`);
      },
    },
    {
      group,
      name: 'latency',
      async run() {
        const client = await redis();
        const times: number[] = [];
        for (let ping = 0; ping < pings; ping++) {
          const begun = performance.now();
          await client.ping();
          times.push(performance.now() - begun);
        }
        const median = times.sort((a, b) => a - b)[Math.floor(pings / 2)] as number;
        const text = `${median.toFixed(1)} ms, the median of ${pings}`;
        return median > slowMilliseconds
          ? warning(`An answer takes ${text}.`, 'Bring Redis nearer, or do without it: leave REDIS_URL unset.')
          : ok(text);
      },
    },
    {
      group,
      name: 'progress',
      async run() {
        const client = await redis();
        const prefix = keyPrefix((await log()).id);
        const told = await Promise.all(
          projections.map(async ({ name }) => ((await readReached(client, prefix, name, 0)) ? name : null)),
        );
        const untold = projections.map(({ name }) => name).filter((name) => !told.includes(name));
        if (untold.length === 0) return ok('projectors tell it each second how far they are');
        if (!(await atWork())) return skipped('no process of Cool Mint is at work');
        return warning(
          `No projector has told this Redis how far ${untold.join(', ')} ${untold.length === 1 ? 'is' : 'are'}: answers are not cached.`,
          'Give projectors and query services the same REDIS_URL, with the number of the database. Whether they may write is told by their logs.',
        );
      },
    },
  ];
}

/** What INFO says. */
async function factsOf(client: Redis): Promise<Map<string, string>> {
  const lines = (await client.info()).split(/\r?\n/).filter((line) => line.includes(':'));
  return new Map(lines.map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string]));
}
