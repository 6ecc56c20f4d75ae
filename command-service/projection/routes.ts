import { z } from 'zod';
import type { Command } from '#command-service/command.ts';
import type { Decision } from '#command-service/decision.ts';
import { handleCommand, type KernelParts, nothingToResolve } from '#command-service/handle-command.ts';
import { answerOf, commandHeaders, commandOf } from '#command-service/http-command.ts';
import {
  cancelRebuild,
  type ProjectionState,
  projectionEvolution,
  startRebuild,
} from '#command-service/projection/decider.ts';
import { systemTenant } from '#shared/events/metadata.ts';
import { projectionName } from '#shared/events/projection.ts';
import { reason } from '#shared/events/selection.ts';
import { entityId, streamName } from '#shared/events/stream-name.ts';
import type { App } from '#shared/http/app.ts';
import { uuid } from '#shared/http/uuid.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const tags = ['projections'];
const rebuildAnswer = z.object({
  id: uuid,
  projection: z.string(),
  status: z.enum(['running', 'completed', 'cancelled', 'failed']),
});
const nameParameter = z.object({ name: projectionName });

export function addProjectionCommands(app: App, parts: KernelParts & { readonly runtime: Runtime }): void {
  const run = (command: Command, name: string, decide: (state: ProjectionState) => Decision) =>
    handleCommand(parts, command, {
      tenant: systemTenant,
      stream: streamName.projection(name),
      evolution: projectionEvolution,
      resolve: nothingToResolve,
      decide,
    });

  app.route({
    method: 'POST',
    url: '/api/v1/projections/:name/rebuilds',
    config: { permission: 'projections:rebuild' },
    schema: {
      tags,
      summary: 'Build the projection anew from the log, beside the live one, and swap',
      headers: commandHeaders,
      params: nameParameter,
      body: z.strictObject({ reason: reason.nullable().default(null) }).nullish(),
      response: { 202: rebuildAnswer },
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const command = commandOf(request, parts.runtime, request.body ?? {});
      const id = entityId(command.id);
      const accepted = answerOf(
        reply,
        await run(command, name, (state) => startRebuild(state, name, id, request.body?.reason ?? null)),
      );
      reply.header('Location', `/api/v1/projections/${name}/rebuilds/${id}`);
      return reply.status(202).send({ id, projection: name, status: accepted.state.rebuilds.get(id) ?? 'running' });
    },
  });

  app.route({
    method: 'POST',
    url: '/api/v1/projections/:name/rebuilds/:id/cancel',
    config: { permission: 'projections:rebuild' },
    schema: {
      tags,
      summary: 'Give a running rebuild up; the live view stays as it is',
      headers: commandHeaders,
      params: nameParameter.extend({ id: uuid }),
      body: z.strictObject({}).nullish(),
      response: { 200: rebuildAnswer },
    },
    handler: async (request, reply) => {
      const { name, id } = request.params;
      const accepted = answerOf(
        reply,
        await run(commandOf(request, parts.runtime, {}), name, (state) => cancelRebuild(state, name, id)),
      );
      return { id, projection: name, status: accepted.state.rebuilds.get(id) ?? 'cancelled' };
    },
  });
}
