import { z } from 'zod';
import {
  activitySort,
  holdingSelection,
  listActivities,
  readActivity,
  readHistory,
  selectionsOfActivity,
} from '#query-service/activity/queries.ts';
import { activityDetail, activityRow, activityVersion } from '#query-service/activity/shapes.ts';
import { type QueryParts, sendCached } from '#query-service/answer.ts';
import { sendTagged, taggedHeaders } from '#query-service/tagged-answer.ts';
import { activityFilterParameters, parseFilterParameters } from '#shared/activity-filter/activity-filter.ts';
import type { App } from '#shared/http/app.ts';
import { demandHeaders, demandOf } from '#shared/http/demand.ts';
import { listOf, pageParameters, parseCursor } from '#shared/http/page.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { uuid } from '#shared/http/uuid.ts';

const tags = ['activities'];
const idParameter = z.object({ id: uuid });
const noActivity = () => new ProblemError(refuse('not-found', 'There is no such activity.'));

const listParameters = z.strictObject({
  ...activityFilterParameters,
  ...pageParameters,
  sort: activitySort.default('-occurredAt'),
});

export function addActivityQueries(app: App, parts: QueryParts & { readonly logId: string }): void {
  const { readModel, logId } = parts;

  app.route({
    method: 'GET',
    url: '/api/v1/activities',
    config: { permission: 'activities:read' },
    schema: {
      tags,
      summary: 'Activities: filtered, searched, sorted',
      description:
        'Repeating a parameter means or; different parameters mean and. `field[null]=true` asks for those without a value.',
      headers: demandHeaders,
      querystring: listParameters,
      response: { 200: listOf(activityRow) },
    },
    handler: async (request, reply) => {
      const { limit, cursor, sort, ...parameters } = request.query;
      const parsed = parseFilterParameters(parameters);
      if (!parsed.success)
        throw new ProblemError(
          refuse('malformed-request', 'Correct the filter and send it again.', {
            errors: parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message })),
          }),
        );
      const { tenant } = request.caller;
      const question = { tenant, filter: parsed.data, sort, limit, cursor: parseCursor(cursor, sort) };
      const demand = demandOf(request, logId);
      return sendCached(
        parts,
        reply,
        { projection: 'catalog', tenant, name: 'activities', demand, asked: question },
        (asOf) => listActivities(readModel, { ...question, demand: asOf }),
      );
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/activities/:id',
    config: { permission: 'activities:read' },
    schema: {
      tags,
      summary: 'One activity, as it is now',
      headers: taggedHeaders,
      params: idParameter,
      response: { 200: activityDetail },
    },
    handler: async (request, reply) => {
      const found = await readActivity(readModel, request.caller.tenant, request.params.id, demandOf(request, logId));
      if (!found) throw noActivity();
      return sendTagged(request, reply, found.revision, found);
    },
  });

  const pageQuery = z.strictObject(pageParameters);

  app.route({
    method: 'GET',
    url: '/api/v1/activities/:id/history',
    config: { permission: 'activities:read' },
    schema: {
      tags,
      summary: 'Every version and what changed',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(activityVersion) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await readHistory(readModel, {
        tenant: request.caller.tenant,
        id: request.params.id,
        limit,
        cursor: parseCursor(cursor, 'history'),
        demand: demandOf(request, logId),
      });
      if (!found) throw noActivity();
      return found;
    },
  });

  app.route({
    method: 'GET',
    url: '/api/v1/activities/:id/selections',
    config: { permission: 'selections:read' },
    schema: {
      tags,
      summary: 'Every selection that ever held it',
      headers: demandHeaders,
      params: idParameter,
      querystring: pageQuery,
      response: { 200: listOf(holdingSelection) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const found = await selectionsOfActivity(readModel, {
        tenant: request.caller.tenant,
        id: request.params.id,
        limit,
        cursor: parseCursor(cursor, 'selections'),
        demand: demandOf(request, logId),
      });
      if (!found) throw noActivity();
      return found;
    },
  });
}
