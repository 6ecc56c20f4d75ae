/** How the projections stand: generation, checkpoint, lag, rebuild. About the installation, not about a tenant. */
import { sql } from 'slonik';
import { z } from 'zod';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { systemTenant } from '#shared/events/metadata.ts';
import type { ProjectionName } from '#shared/events/projection.ts';
import { type Demand, noDemand, type ReadModel } from '#shared/read-model/read-model.ts';
import { utc } from '#shared/read-model/sql-text.ts';
import { lagPage, standingOf } from '#shared/transport/lag.ts';

const generationRow = z.object({
  version: z.int(),
  building: z
    .object({ generation: z.int(), rebuildId: z.uuid().nullable(), position: z.string(), time: z.string().nullable() })
    .nullable(),
});

const progressRows = z.object({
  slots: z.array(z.object({ position: z.string(), ordinal: z.number().nullable() })),
  sent: z.object({ position: z.string(), previous: z.array(z.string()), ordinals: z.array(z.number()) }).nullable(),
});

export const rebuildRow = z.object({
  id: z.uuid(),
  projection: z.string(),
  status: z.enum(['running', 'completed', 'cancelled', 'failed']),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  fromGeneration: z.int().nullable(),
  toGeneration: z.int().nullable(),
  events: z.int().nullable(),
  seconds: z.number().nullable(),
  error: z.string().nullable(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
});

export const projectionRow = z.object({
  name: z.string(),
  generation: z.int(),
  version: z.int(),
  checkpoint: z.object({ position: z.string(), time: z.string().nullable() }),
  lag: z.object({ events: z.int(), exact: z.boolean(), seconds: z.number() }),
  rebuild: generationRow.shape.building.describe('the generation that is being built, and how far it is'),
});

export async function readProjection(
  readModel: ReadModel,
  log: Pick<EventLog, 'readAll' | 'id' | 'start'>,
  name: ProjectionName,
  now: Date,
): Promise<z.infer<typeof projectionRow>> {
  const answer = await readModel.read({
    projection: name,
    tenant: systemTenant,
    demand: noDemand,
    shape: z.object({ generation: z.int(), ...progressRows.shape, ...generationRow.shape }),
    select: () => sql.fragment`(
      select json_build_object(
        'generation', g.generation, 'version', g.version,
        'slots', (select json_agg(json_build_object('position', c.position, 'ordinal', c.ordinal) order by c.slot)
                  from projector.checkpoints c where c.projection = g.projection and c.generation = g.generation),
        'sent', (select json_build_object('position', r.position, 'previous', r.previous, 'ordinals', r.ordinals)
                 from projector.relay r where r.id = 1 and r.position is not null),
        'building', (
          select json_build_object('generation', b.generation, 'rebuildId', b.rebuild_id, 'position', c.position, 'time', ${utc(sql.fragment`c.time`)})
          from projector.generations b
            join lateral (select position, time from projector.checkpoints c where c.projection = b.projection and c.generation = b.generation
                          order by position desc limit 1) c on true
          where b.projection = g.projection and b.state = 'building' order by b.generation desc limit 1))
      from projector.generations g where g.projection = ${name} and g.state = 'live')`,
  });
  const { generation, version, slots, sent, building } = answer.data;
  const standing = standingOf(log, slots, sent);
  return {
    name,
    generation,
    version,
    checkpoint: answer.asOf,
    lag: standing.lagOf(await log.readAll(standing.after, lagPage), now),
    rebuild: building,
  };
}

export async function readRebuild(readModel: ReadModel, projection: string, id: string, demand: Demand) {
  const answer = await readModel.read({
    projection: 'operations',
    tenant: systemTenant,
    demand,
    shape: rebuildRow.nullable(),
    select: (table) => sql.fragment`(
      select json_build_object('id', r.id, 'projection', r.projection, 'status', r.status, 'reason', r.reason, 'requestedBy', r.requested_by,
        'fromGeneration', r.from_generation, 'toGeneration', r.to_generation, 'events', r.events, 'seconds', r.seconds::float8, 'error', r.error,
        'startedAt', ${utc(sql.fragment`r.started_at`)}, 'endedAt', ${utc(sql.fragment`r.ended_at`)})
      from ${table('rebuilds')} r where r.tenant = ${systemTenant} and r.projection = ${projection} and r.id = ${id})`,
  });
  return answer.data && { ...answer.data, asOf: answer.asOf };
}
