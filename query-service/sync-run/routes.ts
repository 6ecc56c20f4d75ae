import { Readable } from 'node:stream';
import { z } from 'zod';
import type { QueryParts } from '#query-service/answer.ts';
import { listRejects, listSyncRuns, readSyncRun, rejectRow, syncRunRow } from '#query-service/sync-run/queries.ts';
import { sendTagged, taggedHeaders } from '#query-service/tagged-answer.ts';
import type { App } from '#shared/http/app.ts';
import { csvLine } from '#shared/http/csv.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { listOf, pageParameters, parseCursor } from '#shared/http/page.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import { asOf, noDemand } from '#shared/read-model/read-model.ts';

const tags = ['sync runs'];
const idParameter = z.object({ id: uuid });
const pageQuery = z.strictObject(pageParameters);
const noRun = () => new ProblemError(refuse('not-found', 'There is no such sync run.'));

export function addSyncRunQueries(app: App, { readModel, logId }: QueryParts & { readonly logId: string }): void {
  app.route({
    method: 'GET',
    url: '/api/v1/sync-runs',
    config: { permission: 'sync:read' },
    schema: {
      tags,
      summary: 'Sync runs, last started first',
      headers: demandHeaders,
      querystring: pageQuery,
      response: { 200: listOf(syncRunRow) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      return listSyncRuns(readModel, {
        tenant: request.caller.tenant,
        limit,
        cursor: parseCursor(cursor, 'started'),
        demand: demandOf(request, logId),
      });
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/sync-runs/:id',
    config: { permission: 'sync:read' },
    schema: {
      tags,
      summary: 'One sync run: progress and totals',
      headers: taggedHeaders,
      params: idParameter,
      response: { 200: syncRunRow.extend({ asOf }) },
    },
    handler: async (request, reply) => {
      const found = await readSyncRun(readModel, request.caller.tenant, request.params.id, demandOf(request, logId));
      if (!found) throw noRun();
      return sendTagged(request, reply, found.revision, found);
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/sync-runs/:id/rejects',
    config: { permission: 'sync:read' },
    schema: {
      tags,
      summary: 'Records that were rejected, each with line and reason',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(rejectRow) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await listRejects(readModel, {
        tenant: request.caller.tenant,
        id: request.params.id,
        limit,
        cursor: parseCursor(cursor, 'rejects'),
        demand: demandOf(request, logId),
      });
      if (!found) throw noRun();
      return found;
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/sync-runs/:id/rejects.csv',
    config: { permission: 'sync:read' },
    schema: { tags, summary: 'All rejected records as CSV, streamed', headers: demandHeaders, params: idParameter },
    handler: async (request, reply) => {
      const { tenant } = request.caller;
      const { id } = request.params;
      const first = await listRejects(readModel, {
        tenant,
        id,
        limit: 200,
        cursor: null,
        demand: demandOf(request, logId),
      });
      if (!first) throw noRun();
      async function* lines() {
        yield csvLine(['part', 'line', 'id', 'reason']);
        for (let page = first; page; ) {
          for (const row of page.data) yield csvLine([row.part, row.line, row.sourceId, row.reason]);
          if (page.page.next === null) return;
          page = await listRejects(readModel, {
            tenant,
            id,
            limit: 200,
            cursor: parseCursor(page.page.next, 'rejects'),
            demand: noDemand,
          });
        }
      }
      return reply.type('text/csv; charset=utf-8; header=present').send(Readable.from(lines(), { objectMode: false }));
    },
  });
}
