/** The two logs that `cool-mint log` is about: opened with the settings of `start`, and closed again. */
import type { Logger } from 'pino';
import { CliError } from '#cli/cli-error.ts';
import { databasePlace, eventstorePlace, openDatabase } from '#cli/database.ts';
import type { StartConfig } from '#cli/start/config.ts';
import { refuseCutRestore } from '#shared/backup/restore-mark.ts';
import { connectEventLog } from '#shared/event-log/connect.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { type LogKind, logsInUse, takeInstallation } from '#shared/postgres/installation-lock.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { createPool } from '#shared/postgres/pool.ts';

export interface LogSides extends AsyncDisposable {
  readonly logs: Readonly<Record<LogKind, EventLog>>;
  /** For people: where each of them is, without credentials. */
  readonly places: Readonly<Record<LogKind, string>>;
}

/**
 * Throws a SetupError, or a CliError, that says which setting or server is wrong. `writes`: the log that
 * is to be written, in place of every service that works with it. `whereUsed` is told, before anything is opened, with
 * which logs a Cool Mint is at work on this database, and may throw.
 */
export async function openLogs(
  config: StartConfig,
  logger: Logger,
  writes: LogKind | null,
  whereUsed: (logs: ReadonlySet<LogKind>) => void,
): Promise<LogSides> {
  const { EVENTSTORE_URL: eventstoreUrl, EVENTSTORE_STREAM_PREFIX: eventstoreStreamPrefix } = config;
  if (!eventstoreUrl)
    throw new CliError(
      'EVENTSTORE_URL is not set. Set it to the EventStoreDB to copy from or to, such as esdb://localhost:2113?tls=false; it is no option because of the password that may stand in it.',
    );

  await using stack = new AsyncDisposableStack();
  const { url: databaseUrl, directUrl } = stack.use(await openDatabase(config, logger));
  const alone = writes === null ? null : await takeInstallation(directUrl, [writes]);
  if (alone !== null) stack.use(alone);
  whereUsed(await logsInUse(directUrl));
  if (writes !== null && alone === null)
    throw new CliError(
      `A restore, or another copy of the event log, is under way on ${databasePlace(config)}. Wait until it has ended.`,
    );
  await migrate(directUrl);

  const pool = createPool(databaseUrl, 'cool-mint log', 4, logger);
  stack.defer(() => pool.end());
  await refuseCutRestore(pool);
  const eventstoredb = await connectEventLog({ eventstoreUrl, eventstoreStreamPrefix, pool, directUrl });
  stack.defer(() => eventstoredb.close());
  const postgres = await connectEventLog({ pool, directUrl });
  stack.defer(() => postgres.close());

  const owned = stack.move();
  return {
    logs: { postgres, eventstoredb },
    places: {
      postgres: databasePlace(config),
      eventstoredb: eventstorePlace(config),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
