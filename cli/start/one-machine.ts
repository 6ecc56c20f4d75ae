/**
 * All three services in one process, on the defaults of one machine. Released in the reverse order of being made,
 * whether the start fails half way or the process is told to stop.
 */

import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { StartConfig } from '#cli/start/config.ts';
import { addHomePage } from '#cli/start/home-page.ts';
import { listenOn } from '#cli/start/listen-on.ts';
import { addCommands } from '#command-service/add-commands.ts';
import { completePlannedAppends } from '#command-service/planned-appends.ts';
import { releaseAllLeases } from '#command-service/sync-run/lease.ts';
import { type Projector, startProjector } from '#projector/start-projector.ts';
import { addQueries } from '#query-service/add-queries.ts';
import { ensureLocalIssuer } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';
import type { Cache } from '#shared/cache/cache.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { createAdminApp } from '#shared/http/admin-app.ts';
import { addApiDescription, addApiDocs } from '#shared/http/api-docs.ts';
import { type App, createApp } from '#shared/http/app.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { connectReadModel, type ReadModel } from '#shared/read-model/read-model.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { directTransport } from '#shared/transport/direct-transport.ts';

/** A loop that shows no sign of life for so long is dead. */
const deadAfterMilliseconds = 30_000;
/** How long requests may go on after the process was told to stop. */
const shutdownMilliseconds = 10_000;

export interface OneMachine extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly pool: Pool;
  readonly log: EventLog;
  readonly cache: Cache;
  readonly readModel: ReadModel;
  readonly projector: Projector;
  readonly app: App;
}

export interface OneMachineOptions {
  readonly config: StartConfig;
  readonly version: string;
  readonly logger: Logger;
  readonly runtime?: Runtime;
  /** Slows the projector in tests. */
  readonly pace?: () => Promise<void>;
}

export async function startOneMachine({
  config,
  version,
  logger,
  runtime = systemRuntime,
  pace,
}: OneMachineOptions): Promise<OneMachine> {
  await using stack = new AsyncDisposableStack();

  let databaseUrl = config.DATABASE_URL;
  if (databaseUrl) await checkDatabase(databaseUrl, 'DATABASE_URL');
  else {
    const embedded = stack.use(await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: logger }));
    databaseUrl = embedded.url;
    logger.info({ adopted: embedded.adopted }, 'embedded Postgres is up');
  }
  const directUrl = config.DATABASE_DIRECT_URL ?? databaseUrl;
  const migrations = await migrate(directUrl);
  if (migrations.length > 0) logger.info({ migrations }, 'migrated the database');

  const pool = createPool(databaseUrl, 'cool-mint', 12, logger);
  stack.defer(() => pool.end());
  const log = await postgresEventLog({ pool, directUrl, runtime });
  stack.defer(() => log.close());
  const cache = memoryCache();
  const readModel = await connectReadModel({ databaseUrl, cache, runtime });
  stack.defer(() => readModel.close());

  // Nobody else works in an embedded database: what a killed process held or left half done is ours to settle.
  if (!config.DATABASE_URL) await releaseAllLeases(pool);
  const completed = await completePlannedAppends(pool, log);
  if (completed > 0) logger.info({ completed }, 'completed what a stopped server had begun');

  const projector = startProjector({
    pool,
    log,
    transport: directTransport(log, runtime),
    cache,
    logger,
    runtime,
    ...(pace ? { pace } : {}),
  });
  stack.defer(() => projector.stop());

  const publicKeyFile =
    config.AUTH_PUBLIC_KEY_FILE ?? (config.AUTH_JWKS_URL ? undefined : await ensureLocalIssuer(config.DATA_DIR));
  const verifyToken = await tokenVerifier({ jwksUrl: config.AUTH_JWKS_URL, publicKeyFile });
  const app = createApp({ verifyToken, logger });
  await addApiDescription(app, version);
  addCommands(app, { pool, log, readModel, runtime });
  addQueries(app, { log, readModel, cache, runtime });
  await addApiDocs(app);
  addHomePage(app, { version, projector });

  const admin = createAdminApp(
    {
      dead: () =>
        [...projector.status]
          .filter(([, { tickedAt }]) => runtime.now().getTime() - tickedAt > deadAfterMilliseconds)
          .map(([name]) => `projection ${name}`),
      missing: async () => [
        ...(await pool.query('select 1').then(
          () => [],
          () => ['database'],
        )),
        ...[...projector.status]
          .filter(([, { state }]) => state !== 'running' && state !== 'standing')
          .map(([name, { state }]) => `projection ${name} is ${state}`),
      ],
    },
    logger,
  );
  const adminUrl = await listenOn(admin, config.HOST, config.ADMIN_PORT, 'ADMIN_PORT');
  stack.defer(() => admin.close());
  const url = await listenOn(app, config.HOST, config.PORT, 'PORT');
  stack.defer(async () => {
    // What is under way is answered; what will not end by itself is cut, and can be resumed.
    const cut = setTimeout(() => app.server.closeAllConnections(), shutdownMilliseconds);
    await app.close();
    clearTimeout(cut);
  });

  const owned = stack.move();
  return {
    url,
    adminUrl,
    pool,
    log,
    cache,
    readModel,
    projector,
    app,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
