/** Answers of queries: through the cache where the same question was asked of the same state before. */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { Counter } from 'prom-client';
import type { Cache } from '#shared/cache/cache.ts';
import { reaches } from '#shared/event-log/position.ts';
import type { ProjectionName } from '#shared/events/projection.ts';
import type { AsOf, Demand, ReadModel } from '#shared/read-model/read-model.ts';
import { registry } from '#shared/telemetry/registry.ts';

const lookups = new Counter({
  name: 'cool_mint_cache_lookups_total',
  help: 'Answers looked up in the cache.',
  labelNames: ['projection', 'result'],
  registers: [registry],
});

export interface QueryParts {
  readonly readModel: ReadModel;
  readonly cache: Cache;
}

/**
 * Sends the JSON of `compute`, or the same that was computed before. The key holds the tenant's last-changed position,
 * so nothing is ever invalidated; a hit that is older than the demand, and an answer older than its key, are not used.
 */
export async function sendCached(
  { readModel, cache }: QueryParts,
  reply: FastifyReply,
  question: {
    readonly projection: ProjectionName;
    readonly tenant: string;
    readonly name: string;
    readonly demand: Demand;
    readonly asked: unknown;
  },
  compute: () => Promise<{ readonly asOf: AsOf }>,
): Promise<FastifyReply> {
  const { projection, tenant, name, demand, asked } = question;
  await readModel.waitFor(projection, tenant, demand);
  // Where the cache does not know (Redis is away), the slot's checkpoint serves: nothing changed later than that. It
  // moves with every event of any tenant, so answers live shorter, in the memory of this process.
  const last = (await cache.lastChanged(projection, tenant)) ?? (await readModel.checkpoint(projection, tenant));
  const key =
    last &&
    createHash('sha256')
      .update(JSON.stringify([tenant, projection, last.generation, last.position, name, asked]))
      .digest('base64');
  reply.type('application/json; charset=utf-8');
  if (key) {
    const hit = await cache.get(key);
    const fresh = hit !== null && (demand.minPosition === null || reaches(hit.asOf.position, demand.minPosition));
    lookups.inc({ projection, result: fresh ? 'hit' : 'miss' });
    // The other one is counted, too: a share needs both.
    lookups.inc({ projection, result: fresh ? 'miss' : 'hit' }, 0);
    if (fresh) return reply.send(hit.body);
  }
  const answer = await compute();
  const body = JSON.stringify(answer);
  if (key && last && answer.asOf.position >= last.position) await cache.set(key, { asOf: answer.asOf, body });
  return reply.send(body);
}
