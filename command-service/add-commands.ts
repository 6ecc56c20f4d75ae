/** The command side on an app: every route that records something. */
import type { Pool } from 'pg';
import { addProjectionCommands } from '#command-service/projection/routes.ts';
import { addSelectionCommands } from '#command-service/selection/routes.ts';
import { addSyncRunCommands } from '#command-service/sync-run/routes.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { App } from '#shared/http/app.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface CommandParts {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly readModel: ReadModel;
  readonly runtime: Runtime;
}

export function addCommands(app: App, parts: CommandParts): void {
  addSyncRunCommands(app, parts);
  addSelectionCommands(app, parts);
  addProjectionCommands(app, parts);
}
