/** An installation as `start` would open it: its log wherever it is, its database, its data folder. For backup and restore. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { CliError } from '#cli/cli-error.ts';
import { type Database, databasePlace, eventstorePlace, openDatabase } from '#cli/database.ts';
import type { StartConfig } from '#cli/start/config.ts';
import { refuseCutRestore } from '#shared/backup/restore-mark.ts';
import { connectEventLog } from '#shared/event-log/connect.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { runningPostgres } from '#shared/postgres/embedded/running-postgres.ts';
import { logsInUse, takeInstallation } from '#shared/postgres/installation-lock.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { createPool } from '#shared/postgres/pool.ts';

export interface Installation extends AsyncDisposable {
  readonly log: EventLog;
  /** A session of its own. */
  readonly client: Client;
  /** For people: where the log is, without credentials. */
  readonly place: string;
}

/** Beside a service that may be at work. Throws a SetupError or a CliError where there is no installation. */
export async function openBeside(config: StartConfig, logger: Logger): Promise<Installation> {
  const running = config.DATABASE_URL ? null : await runningPostgres(config.DATA_DIR);
  const nothing = () =>
    new CliError(
      `There is no Cool Mint in ${databasePlace(config)}: nothing to back up. Check DATABASE_URL and DATA_DIR.`,
    );
  const cluster = path.join(config.DATA_DIR, 'postgres');
  if (!config.DATABASE_URL && running === null && !(await stat(cluster).catch(() => null))) throw nothing();
  const database: Database =
    running === null
      ? await openDatabase(config, logger)
      : { url: running, directUrl: running, [Symbol.asyncDispose]: async () => undefined };
  return open(config, logger, database, async () => {
    const client = new Client({ connectionString: database.directUrl });
    await client.connect();
    try {
      const answer = await client.query<{ log: string | null }>("select to_regclass('event_log.log') as log");
      if (answer.rows[0]?.log === null) throw nothing();
      await refuseCutRestore(client);
    } finally {
      await client.end();
    }
  });
}

/** In place of a service, which cannot start meanwhile, made ready to be written. Throws a SetupError or a CliError where one is at work. */
export async function openInPlace(config: StartConfig, logger: Logger): Promise<Installation> {
  const database = await openDatabase(config, logger);
  return open(config, logger, database, async (stack) => {
    const alone = await takeInstallation(database.directUrl);
    if (alone === null)
      throw new CliError(
        (await logsInUse(database.directUrl)).size > 0
          ? `A Cool Mint is at work on ${databasePlace(config)}. Stop it first.`
          : `Another restore, or a copy of the event log, is under way on ${databasePlace(config)}. Wait until it has ended.`,
      );
    stack.use(alone);
    await migrate(database.directUrl);
  });
}

async function open(
  config: StartConfig,
  logger: Logger,
  database: Database,
  prepare: (stack: AsyncDisposableStack) => Promise<void>,
): Promise<Installation> {
  await using stack = new AsyncDisposableStack();
  const { url, directUrl } = stack.use(database);
  await prepare(stack);
  const { EVENTSTORE_URL: eventstoreUrl, EVENTSTORE_STREAM_PREFIX: eventstoreStreamPrefix } = config;
  const pool = createPool(url, 'cool-mint backup', 4, logger);
  stack.defer(() => pool.end());
  const log = await connectEventLog({ eventstoreUrl, eventstoreStreamPrefix, pool, directUrl });
  stack.defer(() => log.close());
  const client = new Client({ connectionString: directUrl, application_name: 'cool-mint backup', keepAlive: true });
  // A session that is cut is told by the query that needs it.
  client.on('error', () => undefined);
  await client.connect();
  stack.defer(() => client.end());
  const owned = stack.move();
  return {
    log,
    client,
    place: eventstoreUrl ? eventstorePlace(config) : databasePlace(config),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
