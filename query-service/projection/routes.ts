import { z } from 'zod';
import type { QueryParts } from '#query-service/answer.ts';
import { projectionRow, readProjection, readRebuild, rebuildRow } from '#query-service/projection/queries.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { projectionName } from '#shared/events/projection.ts';
import type { App } from '#shared/http/app.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import { asOf } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const tags = ['projections'];

export function addProjectionQueries(
  app: App,
  { readModel, log, runtime }: QueryParts & { readonly log: EventLog; readonly runtime: Runtime },
): void {
  app.route({
    method: 'GET',
    url: '/api/v1/projections',
    config: { permission: 'projections:read' },
    schema: {
      tags,
      summary: 'Each projection: generation, checkpoint, lag, rebuild',
      response: { 200: z.object({ data: z.array(projectionRow) }) },
    },
    handler: async () => ({
      data: await Promise.all(
        projectionName.options.map((name) => readProjection(readModel, log, name, runtime.now())),
      ),
    }),
  });

  app.route({
    method: 'GET',
    url: '/api/v1/projections/:name/rebuilds/:id',
    config: { permission: 'projections:read' },
    schema: {
      tags,
      summary: 'One rebuild',
      headers: demandHeaders,
      params: z.object({ name: projectionName, id: uuid }),
      response: { 200: rebuildRow.extend({ asOf }) },
    },
    handler: async (request) => {
      const { name, id } = request.params;
      const found = await readRebuild(readModel, name, id, demandOf(request, log.id));
      if (!found) throw new ProblemError(refuse('not-found', 'There is no such rebuild of this projection.'));
      return found;
    },
  });
}
