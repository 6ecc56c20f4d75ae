import { z } from 'zod';
import type { QueryParts } from '#query-service/answer.ts';
import { auditEntry, listAudit } from '#query-service/audit/queries.ts';
import {
  changedActivity,
  changesSince,
  listSelections,
  readSelection,
  selectedActivity,
  selectionContent,
  selectionRow,
  selectionStatus,
} from '#query-service/selection/queries.ts';
import { sendTagged, taggedHeaders } from '#query-service/tagged-answer.ts';
import type { App } from '#shared/http/app.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { listOf, pageParameters, parseCursor } from '#shared/http/page.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';
import { asOf } from '#shared/read-model/read-model.ts';

const tags = ['selections'];
const idParameter = z.object({ id: uuid });
const noSelection = () => new ProblemError(refuse('not-found', 'There is no such selection.'));
const pageQuery = z.strictObject(pageParameters);

export function addSelectionQueries(app: App, { readModel, logId }: QueryParts & { readonly logId: string }): void {
  app.route({
    method: 'GET',
    url: '/api/v1/selections',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'Selections, last changed first',
      headers: demandHeaders,
      querystring: pageQuery.extend({ status: z.union([selectionStatus, z.array(selectionStatus)]).optional() }),
      response: { 200: listOf(selectionRow) },
    },
    handler: async (request) => {
      const { limit, cursor, status } = request.query;
      return listSelections(readModel, {
        tenant: request.caller.tenant,
        statuses: [status ?? []].flat(),
        limit,
        cursor: parseCursor(cursor, 'changed'),
        demand: demandOf(request, logId),
      });
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/selections/:id',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'One selection',
      headers: taggedHeaders,
      params: idParameter,
      response: { 200: selectionRow.extend({ asOf }) },
    },
    handler: async (request, reply) => {
      const found = await readSelection(readModel, request.caller.tenant, request.params.id, demandOf(request, logId));
      if (!found) throw noSelection();
      return sendTagged(request, reply, found.revision, found);
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/selections/:id/activities',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'Its content, in the versions that were selected',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(selectedActivity) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await selectionContent(readModel, {
        tenant: request.caller.tenant,
        id: request.params.id,
        limit,
        cursor: parseCursor(cursor, 'items'),
        demand: demandOf(request, logId),
      });
      if (!found) throw noSelection();
      return found;
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/selections/:id/changes',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'What the CRM changed since it was selected',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(changedActivity) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await changesSince(readModel, {
        tenant: request.caller.tenant,
        id: request.params.id,
        limit,
        cursor: parseCursor(cursor, 'changes'),
        demand: demandOf(request, logId),
      });
      if (!found) throw noSelection();
      return found;
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/selections/:id/history',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'Its timeline: who did what, first to last',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(auditEntry) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await listAudit(readModel, {
        tenant: request.caller.tenant,
        filter: { entity: `selection-${request.params.id}`, events: 'all' },
        rising: true,
        withItems: true,
        limit,
        cursor: parseCursor(cursor, 'audit'),
        demand: demandOf(request, logId),
      });
      if (found.total.value === 0) throw noSelection();
      return found;
    },
  });
}
