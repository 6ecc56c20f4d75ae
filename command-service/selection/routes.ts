import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Command } from '#command-service/command.ts';
import type { Decision } from '#command-service/decision.ts';
import { type Accepted, handleCommand, type KernelParts, nothingToResolve } from '#command-service/handle-command.ts';
import { answerOf, commandHeaders, commandOf } from '#command-service/http-command.ts';
import {
  type ChosenActivities,
  changeSelectionBody,
  chosenActivities,
  copySelectionBody,
  exportBody,
  openSelectionBody,
  previewAnswer,
  reasonBody,
  selectAtOnceBody,
  selectionAnswer,
  shareBody,
} from '#command-service/selection/commands.ts';
import {
  changeSelection,
  deselectActivities,
  discardSelection,
  exportable,
  exportSelection,
  freezeSelection,
  givenByIds,
  openSelection,
  reopenSelection,
  type SelectionState,
  selectActivities,
  selectionEvolution,
  shareSelection,
} from '#command-service/selection/decider.ts';
import { exportDocument, exportMediaTypes } from '#command-service/selection/export-document.ts';
import { previewSelection } from '#command-service/selection/preview.ts';
import { resolveActivities, resolveFilter } from '#command-service/selection/resolve-activities.ts';
import { laterOf } from '#shared/event-log/position.ts';
import { decodeEvent } from '#shared/events/codec.ts';
import type { SelectionItem } from '#shared/events/selection.ts';
import { entityId, streamName } from '#shared/events/stream-name.ts';
import type { App } from '#shared/http/app.ts';
import { countExport } from '#shared/http/count-export.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { ProblemError, type Refusal, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import type { Demand, ReadModel } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const tags = ['selections'];
const idParameter = z.object({ id: uuid });
const headers = commandHeaders.extend(demandHeaders.shape);
const waitForOwnWrite = 10_000;

export type SelectionParts = KernelParts & { readonly readModel: ReadModel; readonly runtime: Runtime };

function answer(id: string, { state, revision }: Accepted<SelectionState>): z.infer<typeof selectionAnswer> {
  return {
    id,
    revision,
    name: state.name,
    purpose: state.purpose,
    status: state.status === 'missing' ? 'open' : state.status,
    filling: state.filling,
    count: state.items.size,
    digest: state.digest,
    copiedFrom: state.copiedFrom,
  };
}

const chosenOf = ({ ids, filter, exclude, expectedCount }: ChosenActivities): ChosenActivities => ({
  ids,
  filter,
  exclude,
  expectedCount,
});

export function addSelectionCommands(app: App, parts: SelectionParts): void {
  const { log, readModel, runtime } = parts;

  const targetOf = (command: Command, id: string) => ({
    tenant: command.tenant,
    stream: streamName.selection(id),
    evolution: selectionEvolution,
  });

  const run = (command: Command, id: string, decide: (state: SelectionState) => Decision) =>
    handleCommand(parts, command, { ...targetOf(command, id), resolve: nothingToResolve, decide });

  /** Opens one under an id made of the command; answers 201, or 200 where it was opened before. */
  const opened = (reply: FastifyReply, id: string, result: Accepted<SelectionState> | Refusal) => {
    const accepted = answerOf(reply, result);
    reply.header('Location', `/api/v1/selections/${id}`);
    return reply.status(201).send(answer(id, accepted));
  };

  app.route({
    method: 'POST',
    url: '/api/v1/activities/selection',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Open, fill and freeze a selection in one call',
      headers,
      body: selectAtOnceBody,
      response: { 201: selectionAnswer },
    },
    handler: async (request, reply) => {
      const command = commandOf(request, runtime, request.body);
      const id = entityId(command.id);
      const { name, purpose } = request.body;
      const result = await handleCommand(parts, command, {
        ...targetOf(command, id),
        resolve: async () => {
          const resolved = await resolveActivities(
            parts,
            command.tenant,
            chosenOf(request.body),
            demandOf(request, log.id),
          );
          return resolved.outcome === 'refused' ? resolved : { ...resolved, head: await log.head() };
        },
        decide: (state, { items, from, head }) =>
          openSelection(state, {
            name,
            purpose,
            copiedFrom: null,
            items,
            ...from,
            freeze: true,
            position: from.filterPosition ?? head,
          }),
      });
      return opened(reply, id, result);
    },
  });

  app.route({
    method: 'POST',
    url: '/api/v1/activities/selection/preview',
    config: { permission: 'activities:read' },
    schema: {
      tags,
      summary: 'What a selection would hold; records nothing',
      headers: demandHeaders,
      body: chosenActivities,
      response: { 200: previewAnswer },
    },
    handler: async (request) =>
      previewSelection(readModel, request.caller.tenant, request.body, demandOf(request, log.id)),
  });

  app.route({
    method: 'POST',
    url: '/api/v1/selections',
    config: { permission: 'selections:write' },
    schema: { tags, summary: 'Open a selection', headers, body: openSelectionBody, response: { 201: selectionAnswer } },
    handler: async (request, reply) => {
      const command = commandOf(request, runtime, request.body);
      const id = entityId(command.id);
      const empty = { copiedFrom: null, items: [], ...givenByIds, freeze: false, position: log.start };
      return opened(reply, id, await run(command, id, (state) => openSelection(state, { ...request.body, ...empty })));
    },
  });

  app.route({
    method: 'PATCH',
    url: '/api/v1/selections/:id',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Change name or purpose',
      headers,
      params: idParameter,
      body: changeSelectionBody,
      response: { 200: selectionAnswer },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const result = await run(commandOf(request, runtime, request.body), id, (state) =>
        changeSelection(state, request.body),
      );
      return answer(id, answerOf(reply, result));
    },
  });

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/activities',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Add activities, by ids or by a filter',
      headers,
      params: idParameter,
      body: chosenActivities,
      response: { 200: selectionAnswer },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const command = commandOf(request, runtime, request.body);
      const result = await handleCommand(parts, command, {
        ...targetOf(command, id),
        resolve: () => resolveActivities(parts, command.tenant, request.body, demandOf(request, log.id)),
        decide: (state, { items, from }) => selectActivities(state, items, from),
      });
      return answer(id, answerOf(reply, result));
    },
  });

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/activities/remove',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Take activities out, by ids or by a filter',
      headers,
      params: idParameter,
      body: chosenActivities,
      response: { 200: selectionAnswer },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const command = commandOf(request, runtime, request.body);
      const { ids, ...byFilter } = request.body;
      const result = await handleCommand(parts, command, {
        ...targetOf(command, id),
        // Ids need not be known or alive to be taken out; a filter is asked of what the selection holds, its own writes included.
        resolve: async (state: SelectionState) => {
          if (ids)
            return {
              outcome: 'resolved' as const,
              items: ids.map((entry) => ({ activityId: typeof entry === 'string' ? entry : entry.id })),
              from: givenByIds,
            };
          const demand = demandOf(request, log.id);
          const position = state.position ?? log.start;
          const minPosition = demand.minPosition === null ? position : laterOf(demand.minPosition, position);
          return resolveFilter(readModel, command.tenant, byFilter, { ...demand, minPosition }, [
            ...state.items.keys(),
          ]);
        },
        decide: (state, { items, from }) =>
          deselectActivities(
            state,
            items.map((item) => item.activityId),
            from,
          ),
      });
      return answer(id, answerOf(reply, result));
    },
  });

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/freeze',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Make its content final',
      headers,
      params: idParameter,
      body: z.strictObject({}).nullish(),
      response: { 200: selectionAnswer },
    },
    handler: async (request, reply) =>
      answer(
        request.params.id,
        answerOf(reply, await run(commandOf(request, runtime, {}), request.params.id, freezeSelection)),
      ),
  });

  for (const [verb, summary, decide] of [
    ['discard', 'Throw it away; it can be reopened', discardSelection],
    ['reopen', 'Take a discarded selection back', reopenSelection],
  ] as const)
    app.route({
      method: 'POST',
      url: `/api/v1/selections/:id/${verb}`,
      config: { permission: 'selections:write' },
      schema: {
        tags,
        summary,
        headers,
        params: idParameter,
        body: reasonBody.nullish(),
        response: { 200: selectionAnswer },
      },
      handler: async (request, reply) => {
        const { id } = request.params;
        const { reason } = reasonBody.parse(request.body ?? {});
        return answer(
          id,
          answerOf(reply, await run(commandOf(request, runtime, { reason }), id, (state) => decide(state, reason))),
        );
      },
    });

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/copy',
    config: { permission: 'selections:write' },
    schema: {
      tags,
      summary: 'Open a new selection with the same versions',
      headers,
      params: idParameter,
      body: copySelectionBody.nullish(),
      response: { 201: selectionAnswer },
    },
    handler: async (request, reply) => {
      const command = { ...commandOf(request, runtime, request.body ?? {}), ifMatch: null };
      const original = await load(command.tenant, request.params.id);
      if (original.filling)
        throw new ProblemError(refuse('selection-filling', 'Wait until it is filled.', { retryAfter: 1 }));
      const id = entityId(command.id);
      const result = await run(command, id, (state) =>
        openSelection(state, {
          name: request.body?.name ?? `Copy of ${original.name}`.slice(0, 200),
          purpose: request.body?.purpose === undefined ? original.purpose : request.body.purpose,
          copiedFrom: request.params.id,
          items: [...original.items.values()],
          ...givenByIds,
          freeze: false,
          position: log.start,
        }),
      );
      return opened(reply, id, result);
    },
  });

  async function load(tenant: string, id: string): Promise<SelectionState> {
    let state = selectionEvolution.initial;
    for await (const event of log.readStream(tenant, streamName.selection(id)))
      state = selectionEvolution.evolve(state, decodeEvent(event));
    if (state.status === 'missing') throw new ProblemError(refuse('not-found', 'There is no such selection.'));
    return state;
  }

  /** The document twice: once for its digest, before anything is recorded; once for the caller. Versions never change, so both are the same. */
  async function exportOne(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    format: z.infer<typeof exportBody>['format'],
  ) {
    const command = commandOf(request, runtime, { format });
    const { tenant } = command;
    let items: readonly SelectionItem[] = [];
    let name = '';
    const result = await handleCommand(parts, command, {
      ...targetOf(command, id),
      resolve: async (state) => {
        const refusal = exportable(state);
        if (refusal) return refusal;
        const demand: Demand = { minPosition: state.position, waitMilliseconds: waitForOwnWrite };
        await readModel.waitFor('catalog', tenant, demand);
        const hash = createHash('sha256');
        for await (const piece of exportDocument(
          readModel,
          tenant,
          { id, name: state.name, items: [...state.items.values()] },
          format,
        ))
          hash.update(piece);
        return { digest: `sha-256:${hash.digest('hex')}`, count: state.items.size };
      },
      decide: (state, { digest, count }) => exportSelection(state, { format, digest, count }),
    });
    const accepted = answerOf(reply, result);
    ({ name } = accepted.state);
    items = [...accepted.state.items.values()];
    await readModel.waitFor('catalog', tenant, { minPosition: accepted.position, waitMilliseconds: waitForOwnWrite });
    const event = accepted.events.at(-1);
    const digest = event?.type === 'SelectionExported' ? event.data.digest : '';
    reply.header('Repr-Digest', `sha-256=:${Buffer.from(digest.slice('sha-256:'.length), 'hex').toString('base64')}:`);
    reply.header(
      'Content-Disposition',
      `attachment; filename="selection-${id}.${format === 'markdown' ? 'md' : format}"`,
    );
    countExport(reply);
    reply.type(exportMediaTypes[format]);
    return reply.send(
      Readable.from(exportDocument(readModel, tenant, { id, name, items }, format), { objectMode: false }),
    );
  }

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/exports',
    config: { permission: 'selections:share' },
    schema: {
      tags,
      summary: 'Hand its content out as Markdown, NDJSON or CSV; recorded',
      description:
        'Answers the document itself, with its digest in Repr-Digest. Cells of a CSV that a spreadsheet would take for formulas get an apostrophe before them.',
      headers,
      params: idParameter,
      body: exportBody,
    },
    handler: async (request, reply) => exportOne(request, reply, request.params.id, request.body.format),
  });

  app.route({
    method: 'POST',
    url: '/api/v1/selections/:id/shares',
    config: { permission: 'selections:share' },
    schema: {
      tags,
      summary: 'Record that a frozen selection was shared',
      headers,
      params: idParameter,
      body: shareBody,
      response: { 200: selectionAnswer },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      return answer(
        id,
        answerOf(
          reply,
          await run(commandOf(request, runtime, request.body), id, (state) => shareSelection(state, request.body)),
        ),
      );
    },
  });
}
