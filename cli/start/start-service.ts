/**
 * A process of Cool Mint: all services in one, on the defaults of one machine, or those that it is told to be. Released
 * in the reverse order of being made, whether the start fails half way or the process is told to stop.
 */

import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { StartConfig } from '#cli/start/config.ts';
import { phasedHealth, serviceHealth } from '#cli/start/health.ts';
import { addHomePage } from '#cli/start/home-page.ts';
import { listenOn } from '#cli/start/listen-on.ts';
import { allRoles, type Role } from '#cli/start/roles.ts';
import { startTransport } from '#cli/start/transport.ts';
import { addCommands } from '#command-service/add-commands.ts';
import { measurePlannedAppends } from '#command-service/measure-planned-appends.ts';
import { completePlannedAppends } from '#command-service/planned-appends.ts';
import { releaseAllLeases } from '#command-service/sync-run/lease.ts';
import { startProjector } from '#projector/start-projector.ts';
import { addQueries } from '#query-service/add-queries.ts';
import { startWarmer, type Warmer } from '#query-service/warmer.ts';
import { ensureLocalIssuer } from '#shared/access/local-issuer.ts';
import { tokenVerifier } from '#shared/access/verify-token.ts';
import { refuseCutRestore } from '#shared/backup/restore-mark.ts';
import type { Cache } from '#shared/cache/cache.ts';
import { connectCache } from '#shared/cache/connect.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { connectEventLog } from '#shared/event-log/connect.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { createAdminApp, type Health } from '#shared/http/admin-app.ts';
import { addApiDocs, describeInterface } from '#shared/http/api-docs.ts';
import { type App, createApp } from '#shared/http/app.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { joinInstallation } from '#shared/postgres/installation-lock.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { connectReadModel, type ReadModel } from '#shared/read-model/read-model.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { buildInfo } from '#shared/telemetry/build-info.ts';

/** How long requests may go on after the process was told to stop. */
const shutdownMilliseconds = 10_000;

export interface Service extends AsyncDisposable {
  /** Where it answers commands or queries; where it does neither, that of health and metrics. */
  readonly url: string;
  readonly adminUrl: string;
  readonly pool: Pool;
  readonly log: EventLog;
  readonly cache: Cache;
  readonly readModel: ReadModel;
  readonly app: App | null;
  readonly health: Health;
}

export interface ServiceOptions {
  readonly config: StartConfig;
  readonly version: string;
  readonly logger: Logger;
  /** What it does; everything where it is not given. */
  readonly roles?: readonly Role[];
  readonly runtime?: Runtime;
  /** Ends the waiting for servers, where the process is told to end while it starts. */
  readonly signal?: AbortSignal;
  /** Slows the projector in tests. */
  readonly pace?: () => Promise<void>;
  /** Slows the relay in tests. */
  readonly relayPace?: () => Promise<void>;
}

export async function startService({
  config,
  version,
  logger,
  roles = allRoles,
  runtime = systemRuntime,
  signal,
  pace,
  relayPace,
}: ServiceOptions): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  buildInfo.set({ version }, 1);
  const is = (role: Role) => roles.includes(role);
  const alone = allRoles.every(is);

  // The first that answers and the last that ends: a migration may take its time, and the end of what is under way too.
  const phases = phasedHealth();
  const admin = createAdminApp(phases.health, logger);
  const adminUrl = await listenOn(admin, config.HOST, config.ADMIN_PORT, 'ADMIN_PORT');
  stack.defer(() => admin.close());

  phases.starting('the database');
  let databaseUrl = config.DATABASE_URL;
  if (!databaseUrl && !alone)
    throw new SetupError(
      'DATABASE_URL: services of their own need a Postgres that all of them reach. Set it, or start everything in one process: npx cool-mint start',
    );
  let pooled = false;
  if (databaseUrl) ({ pooled } = await checkDatabase({ ...config, DATABASE_URL: databaseUrl }));
  else {
    const embedded = stack.use(await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: logger }));
    databaseUrl = embedded.url;
    logger.info({ adopted: embedded.adopted }, 'embedded Postgres is up');
  }
  phases.starting('the migrations of the database');
  const directUrl = config.DATABASE_DIRECT_URL ?? databaseUrl;
  const kind = config.EVENTSTORE_URL ? 'eventstoredb' : 'postgres';
  stack.use(await joinInstallation({ directUrl, log: kind, work: roles, runtime, logger }));
  const migrations = await migrate(directUrl);
  if (migrations.length > 0) logger.info({ migrations }, 'migrated the database');

  const pool = createPool(databaseUrl, 'cool-mint', 12, logger, !pooled);
  stack.defer(() => pool.end());
  await refuseCutRestore(pool);
  phases.starting('the event log');
  const log = await connectEventLog({
    eventstoreUrl: config.EVENTSTORE_URL,
    eventstoreStreamPrefix: config.EVENTSTORE_STREAM_PREFIX,
    pool,
    directUrl,
    runtime,
  });
  stack.defer(() => log.close());
  logger.info(
    config.EVENTSTORE_URL
      ? { place: parseConnectionString(config.EVENTSTORE_URL).place, prefix: config.EVENTSTORE_STREAM_PREFIX ?? null }
      : {},
    `the event log is in ${config.EVENTSTORE_URL ? 'EventStoreDB' : 'Postgres'}`,
  );
  const cache = await connectCache({
    redisUrl: config.REDIS_URL,
    redisTlsCaFile: config.REDIS_TLS_CA_FILE,
    slotsMove: config.KAFKA_BROKERS !== undefined,
    logId: log.id,
    logger,
    runtime,
  });
  stack.defer(() => cache.close());
  const readModel = await connectReadModel({ databaseUrl, pooled, cache, runtime });
  stack.defer(() => readModel.close());

  // Nobody else works in an embedded database: what a killed process held or left half done is ours to settle.
  if (!config.DATABASE_URL) await releaseAllLeases(pool);
  const completed = is('commands') ? await completePlannedAppends(pool, log) : 0;
  if (completed > 0) logger.info({ completed }, 'completed what a stopped server had begun');
  if (is('commands')) {
    const measured = measurePlannedAppends(pool, runtime, logger);
    stack.defer(() => measured.stop());
  }

  phases.starting('the transport of events');
  const events = await startTransport({
    config,
    pool,
    log,
    logger,
    runtime,
    roles,
    ...(signal ? { signal } : {}),
    ...(relayPace ? { pace: relayPace } : {}),
  });
  const projector = events.transport
    ? startProjector({ pool, log, transport: events.transport, cache, logger, runtime, ...(pace ? { pace } : {}) })
    : null;
  stack.defer(async () => {
    // A read of a log that is away would else be repeated for as long as anybody has patience.
    const stopped = projector?.stop();
    const relayStopped = events.stop();
    await log.close();
    await Promise.all([stopped, relayStopped]);
  });

  const app = is('commands') || is('queries') ? await createInterface() : null;

  async function createInterface(): Promise<App> {
    const publicKeyFile =
      config.AUTH_PUBLIC_KEY_FILE ?? (config.AUTH_JWKS_URL ? undefined : await ensureLocalIssuer(config.DATA_DIR));
    const verifyToken = await tokenVerifier({ jwksUrl: config.AUTH_JWKS_URL, publicKeyFile });
    const addRoutes = (to: App, which: readonly Role[], warmer: Warmer | null) => {
      if (which.includes('commands')) addCommands(to, { pool, log, readModel, runtime });
      if (which.includes('queries')) addQueries(to, { log, readModel, cache, warmer, runtime });
    };
    const whole = await describeInterface(version, logger, (all) => addRoutes(all, allRoles, null));
    const warmer = is('queries') ? startWarmer({ cache, runtime, projections: ['catalog'] }) : null;
    stack.defer(() => warmer?.stop());
    const made = createApp({
      verifyToken,
      logger,
      trustedProxies: config.TRUSTED_PROXIES,
      interfaceRoutes: whole.routes,
    });
    addRoutes(made, roles, warmer);
    await addApiDocs(made, whole.document);
    if (projector) addHomePage(made, { version, projector });
    return made;
  }

  const health = serviceHealth({
    pool,
    // Views are answered without it.
    remoteLog: config.EVENTSTORE_URL && roles.some((role) => role !== 'queries') ? log : null,
    projections: projector?.status ?? new Map(),
    relay: events.relay?.status ?? null,
    runtime,
  });
  const url = app ? await listenOn(app, config.HOST, config.PORT, 'PORT') : adminUrl;
  stack.defer(async () => {
    // What is under way is answered; what will not end by itself is cut, and can be resumed.
    const cut = setTimeout(() => app?.server.closeAllConnections(), shutdownMilliseconds);
    await app?.close();
    clearTimeout(cut);
  });
  phases.working(health);
  // Whoever sends requests here is told first.
  stack.defer(() => phases.stopping());

  const owned = stack.move();
  return {
    url,
    adminUrl,
    pool,
    log,
    cache,
    readModel,
    app,
    health: phases.health,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
