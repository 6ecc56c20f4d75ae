/** Answers of queries: through the cache where the same question was asked of the same state before. */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { Counter } from 'prom-client';
import type { Warmer } from '#query-service/warmer.ts';
import type { Cache, LastChanged } from '#shared/cache/cache.ts';
import { type Position, reaches } from '#shared/event-log/position.ts';
import type { ProjectionName } from '#shared/events/projection.ts';
import { type AsOf, type Demand, noDemand, type ReadModel } from '#shared/read-model/read-model.ts';
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
  /** Null where nothing is answered, only described. */
  readonly warmer: Warmer | null;
}

interface Question {
  readonly projection: ProjectionName;
  readonly tenant: string;
  readonly name: string;
  readonly asked: unknown;
}

const digestOf = (...parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64');

/**
 * Sends the JSON of `compute`, or the same that was computed before. The key holds the tenant's last-changed position,
 * so nothing is ever invalidated; a hit that is older than the demand, and an answer older than its key, are not used.
 */
export async function sendCached(
  parts: QueryParts,
  reply: FastifyReply,
  question: Question & { readonly demand: Demand },
  compute: (demand: Demand) => Promise<{ readonly asOf: AsOf }>,
): Promise<FastifyReply> {
  const { readModel, cache, warmer } = parts;
  const { projection, tenant, name, demand, asked } = question;
  await readModel.waitFor(projection, tenant, demand);
  const place = await placeOf(parts, question);
  reply.type('application/json; charset=utf-8');
  if (place) {
    const hit = await cache.get(place.key);
    const fresh = hit !== null && (demand.minPosition === null || reaches(hit.asOf.position, demand.minPosition));
    lookups.inc({ projection, result: fresh ? 'hit' : 'miss' });
    // The other one is counted, too: a share needs both.
    lookups.inc({ projection, result: fresh ? 'miss' : 'hit' }, 0);
    warmer?.asked(projection, digestOf(tenant, projection, name, asked), place.key, (known) =>
      makeReady(parts, question, known, compute),
    );
    if (fresh) return reply.send(hit.body);
  }
  return reply.send(await computed(parts, place, () => compute(demand)));
}

interface Place {
  readonly key: string;
  /** The tenant changed last at this position: an older answer does not belong here. */
  readonly position: Position;
}

const placeAt = ({ projection, tenant, name, asked }: Question, { generation, position }: LastChanged): Place => ({
  key: digestOf(tenant, projection, generation, position, name, asked),
  position,
});

/** Null where the view is not built yet. */
async function placeOf({ readModel, cache }: QueryParts, question: Question): Promise<Place | null> {
  const { projection, tenant } = question;
  // Where the cache does not know (Redis is away), the slot's checkpoint serves: nothing changed later than that. It
  // moves with every event of any tenant, so answers live shorter, in the memory of this process.
  const last = (await cache.lastChanged(projection, tenant)) ?? (await readModel.checkpoint(projection, tenant));
  return last && placeAt(question, last);
}

/** The JSON of an answer; it is in its place of the cache afterwards. */
async function computed(
  { cache }: QueryParts,
  place: Place | null,
  compute: () => Promise<{ readonly asOf: AsOf }>,
): Promise<string> {
  const answer = await compute();
  const body = JSON.stringify(answer);
  if (place && answer.asOf.position >= place.position) await cache.set(place.key, { asOf: answer.asOf, body });
  return body;
}

/** Puts the answer into its place, unless that is known to be filled or another process was faster; answers the place's key. */
async function makeReady(
  parts: QueryParts,
  question: Question,
  known: string,
  compute: (demand: Demand) => Promise<{ readonly asOf: AsOf }>,
): Promise<string | null> {
  // A checkpoint in its place would make every event of any tenant a change.
  const last = await parts.cache.lastChanged(question.projection, question.tenant);
  const place = last && placeAt(question, last);
  if (place && place.key !== known && !(await parts.cache.get(place.key)))
    await computed(parts, place, () => compute(noDemand));
  return place?.key ?? null;
}
