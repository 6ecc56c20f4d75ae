/** The Postgres that `start` would work with, for the verbs that work beside the service or in its place. */
import path from 'node:path';
import { Client } from 'pg';
import type { Logger } from 'pino';
import type { StartConfig } from '#cli/start/config.ts';
import { withoutCredentials } from '#shared/errors/without-credentials.ts';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';

export interface Database extends AsyncDisposable {
  readonly url: string;
  /** A session, not a transaction pooler. */
  readonly directUrl: string;
}

/** A service that is about to end holds the data folder for a moment. */
const folderWaitMilliseconds = 3_000;

/** Nobody else's, where it is the embedded one: whoever has it holds its folder. Throws a SetupError that says what is wrong. */
export async function openDatabase(config: StartConfig, logger: Logger): Promise<Database> {
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl } = config;
  if (url) {
    await checkDatabase({ DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl });
    return { url, directUrl: directUrl ?? url, [Symbol.asyncDispose]: async () => undefined };
  }
  const embedded = await startEmbeddedPostgres({
    dataDir: config.DATA_DIR,
    log: logger,
    waitMs: folderWaitMilliseconds,
  });
  return { url: embedded.url, directUrl: directUrl ?? embedded.url, [Symbol.asyncDispose]: () => embedded.stop() };
}

/** For people, and without credentials. */
export function databasePlace({ DATABASE_URL, DATA_DIR }: StartConfig): string {
  if (!DATABASE_URL) return `the embedded Postgres in ${path.join(DATA_DIR, 'postgres')}`;
  const { host, port, database } = new Client({ connectionString: DATABASE_URL });
  return `Postgres at ${withoutCredentials(`${host}:${port}/${database}`)}`;
}

/** The same, of the EventStoreDB that EVENTSTORE_URL names. Throws a SetupError where that is no URL of one. */
export function eventstorePlace({ EVENTSTORE_URL = '', EVENTSTORE_STREAM_PREFIX: prefix }: StartConfig): string {
  return `EventStoreDB at ${parseConnectionString(EVENTSTORE_URL).place}${prefix ? `, prefix ${prefix}` : ''}`;
}
