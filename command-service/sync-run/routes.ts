import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { handleCommand, type KernelParts, nothingToResolve } from '#command-service/handle-command.ts';
import { answerOf, commandHeaders, commandOf } from '#command-service/http-command.ts';
import {
  cancelSyncRunBody,
  partParameters,
  partQuery,
  startSyncRunBody,
  syncRunAnswer,
} from '#command-service/sync-run/commands.ts';
import {
  cancelSyncRun,
  completeSyncRun,
  type SyncRunState,
  syncRunEvolution,
} from '#command-service/sync-run/decider.ts';
import { receivePart } from '#command-service/sync-run/receive-part.ts';
import { freeSource, startRun, whetherBusy } from '#command-service/sync-run/start-sync-run.ts';
import { streamName } from '#shared/events/stream-name.ts';
import type { App } from '#shared/http/app.ts';
import { orThrow, ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { salesforceObjects } from '#shared/source-records/salesforce-object.ts';

const idParameter = z.object({ id: uuid });
const tags = ['sync runs'];

function answer(id: string, resumed: boolean, state: SyncRunState): z.infer<typeof syncRunAnswer> {
  return {
    id,
    status: state.status === 'missing' ? 'running' : state.status,
    source: state.started?.source ?? '',
    epoch: state.started?.epoch ?? 0,
    batchSize: state.started?.batchSize ?? 0,
    resumed,
    parts: [...state.parts].map(([part, { batches, whole }]) => ({ part, batches, whole })),
    totals: state.totals,
  };
}

/** `sha-256:<hexadecimal>` of a Content-Digest header (RFC 9530), or null. */
function digestOf(request: FastifyRequest): string | null {
  const header = request.headers['content-digest'];
  if (header === undefined) return null;
  const encoded = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header))?.[1];
  if (!encoded)
    throw new ProblemError(
      refuse('malformed-request', 'Content-Digest: give sha-256=:<base64>: (RFC 9530), or leave the header out.'),
    );
  return `sha-256:${Buffer.from(encoded, 'base64').toString('hex')}`;
}

export function addSyncRunCommands(
  app: App,
  parts: KernelParts & { readonly readModel: ReadModel; readonly runtime: Runtime },
): void {
  const { runtime } = parts;

  app.route({
    method: 'POST',
    url: '/api/v1/sync-runs',
    config: { permission: 'sync:write' },
    schema: {
      tags,
      summary: 'Begin a sync run, or go on with the open one',
      description:
        'One run a source at a time. Announcing the parts of an open run again resumes it (200); other parts cancel it and begin anew (201).',
      headers: commandHeaders,
      body: startSyncRunBody,
      response: { 200: syncRunAnswer, 201: syncRunAnswer },
    },
    handler: async (request, reply) => {
      const started = orThrow(await startRun(parts, commandOf(request, runtime, request.body), request.body));
      answerOf(reply, started.run);
      reply.header('Location', `/api/v1/sync-runs/${started.id}`);
      return reply.status(started.resumed ? 200 : 201).send(answer(started.id, started.resumed, started.run.state));
    },
  });

  // The body is a stream of any size: only this route takes it, so only here JSON is not parsed.
  app.register(async (scoped) => {
    scoped.removeAllContentTypeParsers();
    scoped.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    (scoped as App).route({
      method: 'PUT',
      url: '/api/v1/sync-runs/:id/parts/:part',
      bodyLimit: Number.MAX_SAFE_INTEGER,
      config: { permission: 'sync:write' },
      schema: {
        tags,
        summary: 'Send a part: CSV or NDJSON, streamed',
        description:
          'Content-Type text/csv (with ?object=) or application/x-ndjson. Sending it again goes on where it was cut. Content-Digest (sha-256) is checked where it is given.',
        headers: commandHeaders,
        params: partParameters,
        querystring: partQuery,
        response: { 200: syncRunAnswer },
      },
      handler: async (request, reply) => {
        const type = String(request.headers['content-type'] ?? '')
          .split(';')[0]
          ?.trim()
          .toLowerCase();
        const format =
          type === 'text/csv'
            ? 'csv'
            : type === 'application/x-ndjson' || type === 'application/ndjson'
              ? 'ndjson'
              : null;
        if (!format)
          throw new ProblemError(refuse('malformed-request', 'Send text/csv or application/x-ndjson as Content-Type.'));
        const object = request.query.object ?? null;
        if (format === 'csv' && !(salesforceObjects as readonly (string | null)[]).includes(object))
          throw new ProblemError(
            refuse('malformed-request', `Say what the CSV holds: ?object= one of ${salesforceObjects.join(', ')}.`),
          );
        const { id, part } = request.params;
        const digest = digestOf(request);
        const body = request.body instanceof Readable ? request.body : Readable.from([]);
        const asked = commandOf(request, runtime, { object, digest });
        const content = { object: format === 'csv' ? object : null, format, digest } as const;
        // Leaving early must not destroy the request: its sender would lose the answer. What is left is read and dropped.
        const chunks = body.iterator({ destroyOnReturn: false });
        const received = await receivePart(parts, asked, {
          run: id,
          part,
          ...content,
          body: chunks,
          abandon: (reason) => void body.destroy(reason),
        }).finally(async () => {
          // An iterator that still listens would keep what is left, and the connection would hang for ever.
          await chunks.return?.();
          body.resume();
        });
        reply.header('ETag', `"${received.revision}"`).header('Cool-Mint-Position', received.position);
        return reply.send(answer(id, false, received.state));
      },
    });
  });

  const endRoute = (verb: 'complete' | 'cancel', summary: string) =>
    app.route({
      method: 'POST',
      url: `/api/v1/sync-runs/:id/${verb}`,
      config: { permission: 'sync:write' },
      schema: {
        tags,
        summary,
        headers: commandHeaders,
        params: idParameter,
        body: verb === 'cancel' ? cancelSyncRunBody.nullish() : z.strictObject({}).nullish(),
        response: { 200: syncRunAnswer },
      },
      handler: async (request, reply) => {
        const { id } = request.params;
        const command = commandOf(request, runtime, request.body ?? {});
        const reason = cancelSyncRunBody.parse(request.body ?? {}).reason;
        if (verb === 'complete') orThrow(await whetherBusy(parts, command, id));
        const ended = answerOf(
          reply,
          await handleCommand(parts, command, {
            tenant: command.tenant,
            stream: streamName.syncRun(id),
            evolution: syncRunEvolution,
            resolve: nothingToResolve,
            decide: (state) => (verb === 'complete' ? completeSyncRun(state) : cancelSyncRun(state, reason)),
          }),
        );
        await freeSource(parts, command, id, ended);
        return reply.send(answer(id, false, ended.state));
      },
    });
  endRoute('complete', 'End a sync run whose parts have all arrived');
  endRoute('cancel', 'Give a sync run up; what was recorded stays');
}
