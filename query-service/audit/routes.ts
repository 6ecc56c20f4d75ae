import { Readable } from 'node:stream';
import { z } from 'zod';
import type { QueryParts } from '#query-service/answer.ts';
import { type AuditEntry, auditEntry, listAudit, readAuditEntry, streamAudit } from '#query-service/audit/queries.ts';
import { sendTagged, taggedHeaders } from '#query-service/tagged-answer.ts';
import { eventDefinitions } from '#shared/events/event.ts';
import type { App } from '#shared/http/app.ts';
import { countExport } from '#shared/http/count-export.ts';
import { csvLine } from '#shared/http/csv.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { listOf, pageParameters, parseCursor } from '#shared/http/page.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import { asOf } from '#shared/read-model/read-model.ts';

const tags = ['audit'];
const eventType = z.enum(Object.keys(eventDefinitions) as [string, ...string[]]);
const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) > Date.UTC(1, 0, 1) && !text.startsWith('0000'), {
    error: 'a time after the year 0',
  });

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
  correlationId: uuid.optional().describe('the request id of an answer'),
  syncRun: uuid.optional(),
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

async function* lines(
  first: IteratorResult<AuditEntry, unknown>,
  rest: AsyncIterable<AuditEntry>,
  format: 'ndjson' | 'csv',
): AsyncGenerator<string> {
  const line = (entry: AuditEntry) => (format === 'csv' ? csvLine(csvRow(entry)) : `${JSON.stringify(entry)}\n`);
  if (format === 'csv') yield csvLine(csvHead);
  if (first.done) return;
  yield line(first.value);
  for await (const entry of rest) yield line(entry);
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
      // The first page is read before anything is sent, so that what is wrong is told as a problem and not as a broken stream.
      const entries = streamAudit(readModel, request.caller.tenant, filterOf(request.query), demand);
      const first = await entries.next();
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson; charset=utf-8');
      reply.header('Content-Disposition', `attachment; filename="audit.${format}"`);
      countExport(reply);
      return reply.send(Readable.from(lines(first, entries, format), { objectMode: false }));
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/audit/:eventId',
    config: { permission: 'audit:read' },
    schema: {
      tags,
      summary: 'One entry whole, with the versions that it is about',
      headers: taggedHeaders,
      params: z.object({ eventId: uuid }),
      response: { 200: auditEntry.extend({ asOf }) },
    },
    handler: async (request, reply) => {
      const entry = await readAuditEntry(
        readModel,
        request.caller.tenant,
        request.params.eventId,
        demandOf(request, logId),
      );
      if (!entry) throw new ProblemError(refuse('not-found', 'There is no such entry.'));
      return sendTagged(request, reply, entry.entity.revision, entry);
    },
  });
}
