/** The two logs that `cool-mint log` is about: opened with the settings of `start`, and closed again. */
import path from 'node:path';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { CliError } from '#cli/cli-error.ts';
import type { LogKind } from '#cli/log.ts';
import type { StartConfig } from '#cli/start/config.ts';
import { connectEventLog } from '#shared/event-log/connect.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { createPool } from '#shared/postgres/pool.ts';

export interface LogSides extends AsyncDisposable {
  readonly logs: Readonly<Record<LogKind, EventLog>>;
  /** For people: where each of them is, without credentials. */
  readonly places: Readonly<Record<LogKind, string>>;
}

/** A service that is about to end holds the data folder for a moment. */
const folderWaitMilliseconds = 3_000;

/**
 * Throws a SetupError, or a CliError, that says which setting or server is wrong. `whereUsed` is told, before anything is
 * opened, which log a Cool Mint works with that was seen at work on this database, and may throw.
 */
export async function openLogs(
  config: StartConfig,
  logger: Logger,
  whereUsed: (log: LogKind) => void,
): Promise<LogSides> {
  const { EVENTSTORE_URL: eventstoreUrl, EVENTSTORE_STREAM_PREFIX: eventstoreStreamPrefix } = config;
  if (!eventstoreUrl)
    throw new CliError(
      'EVENTSTORE_URL is not set. Set it to the EventStoreDB to copy from or to, such as esdb://localhost:2113?tls=false; it is no option because of the password that may stand in it.',
    );
  const { place } = parseConnectionString(eventstoreUrl);

  await using stack = new AsyncDisposableStack();
  let databaseUrl = config.DATABASE_URL;
  if (databaseUrl) await checkDatabase({ ...config, DATABASE_URL: databaseUrl });
  else {
    const embedded = await startEmbeddedPostgres({
      dataDir: config.DATA_DIR,
      log: logger,
      waitMs: folderWaitMilliseconds,
    });
    databaseUrl = stack.use(embedded).url;
  }
  const directUrl = config.DATABASE_DIRECT_URL ?? databaseUrl;
  await migrate(directUrl);
  // The embedded one is nobody else's: whoever has it holds its folder.
  const used = config.DATABASE_URL ? await logInUse(directUrl) : null;
  if (used !== null) whereUsed(used);

  const pool = createPool(databaseUrl, 'cool-mint log', 4, logger);
  stack.defer(() => pool.end());
  const eventstoredb = await connectEventLog({ eventstoreUrl, eventstoreStreamPrefix, pool, directUrl });
  stack.defer(() => eventstoredb.close());
  const postgres = await connectEventLog({ pool, directUrl });
  stack.defer(() => postgres.close());

  const { host, port, database } = new Client({ connectionString: databaseUrl });
  const owned = stack.move();
  return {
    logs: { postgres, eventstoredb },
    places: {
      postgres: config.DATABASE_URL
        ? `Postgres at ${host}:${port}/${database}`
        : `the embedded Postgres in ${path.join(config.DATA_DIR, 'postgres')}`,
      eventstoredb: `EventStoreDB at ${place}${eventstoreStreamPrefix ? `, prefix ${eventstoreStreamPrefix}` : ''}`,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** By the sessions of the service: it listens for appends where its log is in this Postgres, and has a pool either way. */
async function logInUse(directUrl: string): Promise<LogKind | null> {
  const client = new Client({ connectionString: directUrl, application_name: 'cool-mint log' });
  await client.connect();
  try {
    const answer = await client.query<{ name: string }>(
      `select distinct application_name as name from pg_stat_activity
       where datname = current_database() and application_name in ('cool-mint', 'cool-mint listen event_log')`,
    );
    const names = answer.rows.map(({ name }) => name);
    if (names.includes('cool-mint listen event_log')) return 'postgres';
    return names.length > 0 ? 'eventstoredb' : null;
  } finally {
    await client.end();
  }
}
