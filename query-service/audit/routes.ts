import { Readable } from 'node:stream';
import { z } from 'zod';
import type { QueryParts } from '#query-service/answer.ts';
import { type AuditEntry, auditEntry, listAudit, readAuditEntry, streamAudit } from '#query-service/audit/queries.ts';
import { eventDefinitions } from '#shared/events/event.ts';
import type { App } from '#shared/http/app.ts';
import { csvLine } from '#shared/http/csv.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { listOf, pageParameters, parseCursor } from '#shared/http/page.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';

const tags = ['audit'];
const eventType = z.enum(Object.keys(eventDefinitions) as [string, ...string[]]);
const instant = z.iso.datetime({ offset: true });

const filterParameters = {
  actor: z.string().max(200).optional(),
  action: z
    .union([eventType, z.array(eventType)])
    .optional()
    .describe('types of events; repeated means or'),
  entity: z
    .string()
    .regex(/^[a-z]+-[\w-]{1,80}$/)
    .optional()
    .describe('for example selection-<id> or activity-<id>'),
  'at[gte]': instant.optional(),
  'at[lt]': instant.optional(),
  correlationId: z.uuid().optional().describe('the request id of an answer'),
  syncRun: z.uuid().optional(),
  events: z.enum(['decisions', 'all']).default('decisions').describe("people's decisions, or every event"),
};

const listParameters = z.strictObject({ ...filterParameters, ...pageParameters });
const exportParameters = z.strictObject({ ...filterParameters, format: z.enum(['ndjson', 'csv']) });

const filterOf = (query: z.infer<z.ZodObject<typeof filterParameters>>) => ({
  actor: query.actor,
  action: query.action === undefined ? undefined : [query.action].flat(),
  entity: query.entity,
  from: query['at[gte]'],
  to: query['at[lt]'],
  correlationId: query.correlationId,
  syncRun: query.syncRun,
  events: query.events,
});

const csvHead = [
  'at',
  'action',
  'actor',
  'actorName',
  'address',
  'userAgent',
  'category',
  'entityId',
  'revision',
  'correlationId',
  'position',
  'summary',
];
const csvRow = (entry: AuditEntry) => [
  entry.at,
  entry.action,
  entry.actor.id,
  entry.actor.name,
  entry.from.address,
  entry.from.userAgent,
  entry.entity.category,
  entry.entity.id,
  entry.entity.revision,
  entry.correlationId,
  entry.position,
  entry.summary,
];

async function* lines(entries: AsyncIterable<AuditEntry>, format: 'ndjson' | 'csv'): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(csvHead);
  for await (const entry of entries) yield format === 'csv' ? csvLine(csvRow(entry)) : `${JSON.stringify(entry)}\n`;
}

export function addAuditQueries(app: App, { readModel, logId }: QueryParts & { readonly logId: string }): void {
  app.route({
    method: 'GET',
    url: '/api/v1/audit',
    config: { permission: 'audit:read' },
    schema: {
      tags,
      summary: "The audit trail, newest first: people's decisions, or every event",
      headers: demandHeaders,
      querystring: listParameters,
      response: { 200: listOf(auditEntry) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      return listAudit(readModel, {
        tenant: request.caller.tenant,
        filter: filterOf(request.query),
        rising: false,
        withItems: false,
        limit,
        cursor: parseCursor(cursor, 'audit'),
        demand: demandOf(request, logId),
      });
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/audit/export',
    config: { permission: 'audit:read' },
    schema: {
      tags,
      summary: 'The audit trail as NDJSON or CSV, streamed, first to last',
      headers: demandHeaders,
      querystring: exportParameters,
    },
    handler: async (request, reply) => {
      const { format } = request.query;
      const demand = demandOf(request, logId);
      // Waited for here, so that a view that is behind is told as a problem and not as a broken stream.
      await readModel.waitFor('audit', request.caller.tenant, demand);
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson; charset=utf-8');
      reply.header('Content-Disposition', `attachment; filename="audit.${format}"`);
      const entries = streamAudit(readModel, request.caller.tenant, filterOf(request.query), demand);
      return reply.send(Readable.from(lines(entries, format), { objectMode: false }));
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/audit/:eventId',
    config: { permission: 'audit:read' },
    schema: {
      tags,
      summary: 'One entry whole, with the versions that it is about',
      headers: demandHeaders,
      params: z.object({ eventId: z.uuid() }),
      response: { 200: auditEntry },
    },
    handler: async (request) => {
      const entry = await readAuditEntry(
        readModel,
        request.caller.tenant,
        request.params.eventId,
        demandOf(request, logId),
      );
      if (!entry) throw new ProblemError(refuse('not-found', 'There is no such entry.'));
      return entry;
    },
  });
}
