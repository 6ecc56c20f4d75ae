/** The query side on an app: every route that only reads. */

import { addActivityQueries } from '#query-service/activity/routes.ts';
import { addAuditQueries } from '#query-service/audit/routes.ts';
import { addProjectionQueries } from '#query-service/projection/routes.ts';
import { addSelectionQueries } from '#query-service/selection/routes.ts';
import { addSyncRunQueries } from '#query-service/sync-run/routes.ts';
import type { Warmer } from '#query-service/warmer.ts';
import type { Cache } from '#shared/cache/cache.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { App } from '#shared/http/app.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export function addQueries(
  app: App,
  parts: {
    readonly log: EventLog;
    readonly readModel: ReadModel;
    readonly cache: Cache;
    readonly warmer: Warmer | null;
    readonly runtime: Runtime;
  },
): void {
  const { log, ...others } = parts;
  const queries = { ...others, logId: log.id };
  addActivityQueries(app, queries);
  addSelectionQueries(app, queries);
  addSyncRunQueries(app, queries);
  addAuditQueries(app, queries);
  addProjectionQueries(app, { ...others, log });
}
