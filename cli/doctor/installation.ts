/**
 * What the checks look at: the servers of the settings, each opened once and on demand, for all checks that need it.
 * What cannot be opened rejects with NotThere for all but the one check whose subject it is.
 *
 * Sessions in Postgres are read-only ones; the event log is opened without making an identity; of Kafka only the admin
 * interface is used, and of Redis only questions are asked.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Redis } from 'ioredis';
import type { Admin } from 'kafkajs';
import { Pool } from 'pg';
import { pino } from 'pino';
import { type CliConfig, cliConfig } from '#cli/config.ts';
import { NotThere } from '#cli/doctor/check.ts';
import { checkUrl, runningService } from '#cli/find-service.ts';
import { type StartConfig, startConfig } from '#cli/start/config.ts';
import { kafkaSettings } from '#cli/start/transport.ts';
import { redisAddress } from '#shared/cache/redis/address.ts';
import { reach } from '#shared/cache/redis/first-connection.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { existingEventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { checkDatabase, type FoundDatabase } from '#shared/postgres/check-database.ts';
import { runningPostgres } from '#shared/postgres/embedded/running-postgres.ts';
import { type Work, workAtHand } from '#shared/postgres/installation-lock.ts';
import { within } from '#shared/runtime/within.ts';
import { kafkaClient, setupProblem } from '#shared/transport/kafka/client.ts';
import { noBroker } from '#shared/transport/kafka/connect.ts';

/** To open one server. */
const openMilliseconds = 10_000;
const statementMilliseconds = 5_000;

export interface FoundLog {
  readonly log: EventLog;
  /** Null where it is the table in Postgres. */
  readonly serverVersion: string | null;
}

export interface FoundApi {
  readonly url: string;
  /** Health and metrics of its processes; none where they are elsewhere, and MINT_ADMIN_URL does not say where. */
  readonly adminUrls: readonly string[];
}

export interface Installation extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cli: CliConfig;
  /** Rejects with the SetupError that lists what is wrong. */
  settings(): Promise<StartConfig>;
  /** Rejects with NotThere where the settings are wrong. */
  config(): Promise<StartConfig>;
  /** The database that the settings, or the data folder, lead to. Rejects with a SetupError that says what is wrong. */
  foundDatabase(): Promise<FoundDatabase>;
  /** Sessions past any pooler, that cannot write. */
  database(): Promise<Pool>;
  /** The same; it was migrated, wholly or in part. */
  migrated(): Promise<Pool>;
  /** How many processes of Cool Mint that work on this database do each thing; empty where none does. */
  work(): Promise<ReadonlyMap<Work, number>>;
  /** Whether there is any. */
  atWork(): Promise<boolean>;
  /** Null where there is none yet. Rejects with a SetupError. */
  foundLog(): Promise<FoundLog | null>;
  log(): Promise<EventLog>;
  /** Rejects with a SetupError. */
  foundBroker(): Promise<Admin>;
  broker(): Promise<Admin>;
  /** Rejects with a SetupError, also where it is away. */
  foundRedis(): Promise<Redis>;
  redis(): Promise<Redis>;
  /** Where it should answer. Rejects with a CliError where there is no such place. */
  api(): Promise<FoundApi>;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    // Whoever asks hears it; it must not end the process before.
    made.catch(() => undefined);
    return made;
  };
}

/** For those whose subject is another one. */
function orNotThere<T>(open: () => Promise<T>, what: string): () => Promise<T> {
  return once(() =>
    open().catch((error: unknown) => {
      throw error instanceof NotThere ? error : new NotThere(`${what} cannot be used`);
    }),
  );
}

export function lookAt(environment: Readonly<Record<string, string | undefined>>): Installation {
  const closing: (() => unknown)[] = [];
  const logger = pino({ level: 'silent' });
  const cli = cliConfig(environment);

  const settings = once(async () => startConfig(environment));
  const config = once(() =>
    settings().catch(() => {
      throw new NotThere('the settings are wrong');
    }),
  );

  /** Of the embedded one where no other is set. */
  const databaseUrls = once(async () => {
    const { DATABASE_URL, DATABASE_DIRECT_URL, DATA_DIR } = await config();
    if (DATABASE_URL) return { DATABASE_URL, DATABASE_DIRECT_URL };
    const embedded = await runningPostgres(DATA_DIR);
    if (embedded === null)
      throw new NotThere('the embedded Postgres does not run: it is looked at while Cool Mint runs (npm start)');
    return { DATABASE_URL: embedded, DATABASE_DIRECT_URL: undefined };
  });
  const foundDatabase = once(async () => within(openMilliseconds, checkDatabase(await databaseUrls())));
  const directUrl = async () => {
    const urls = await databaseUrls();
    return urls.DATABASE_DIRECT_URL ?? urls.DATABASE_URL;
  };
  const database = orNotThere(async () => {
    await foundDatabase();
    const pool = new Pool({
      connectionString: await directUrl(),
      application_name: 'cool-mint doctor',
      max: 3,
      connectionTimeoutMillis: openMilliseconds,
      options: `-c default_transaction_read_only=on -c statement_timeout=${statementMilliseconds}`,
    });
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    closing.push(() => pool.end());
    return pool;
  }, 'the database');
  const migrated = once(async () => {
    const pool = await database();
    const { rows } = await pool.query<{ there: boolean }>(
      "select to_regclass('projector.relay') is not null and to_regclass('event_log.log') is not null as there",
    );
    if (!rows[0]?.there) throw new NotThere('the database has no tables of Cool Mint yet: the first start makes them');
    return pool;
  });
  const work = once(async () => {
    await database();
    return workAtHand(await directUrl());
  });

  const foundLog = once(async (): Promise<FoundLog | null> => {
    const { EVENTSTORE_URL: url, EVENTSTORE_STREAM_PREFIX: prefix = '' } = await config();
    const found = url
      ? await within(openMilliseconds, existingEventStoreLog({ url, prefix }))
      : { log: await postgresEventLog({ pool: await migrated(), directUrl: null }), serverVersion: null };
    if (found) closing.push(() => found.log.close());
    return found;
  });
  const log = orNotThere(async () => {
    const found = await foundLog();
    if (!found) throw new NotThere('there is no event log yet: the first start makes it');
    return found.log;
  }, 'the event log');

  const foundBroker = once(async () => {
    const set = await config();
    if (!set.KAFKA_BROKERS) throw new NotThere('KAFKA_BROKERS is not set: projections read the log itself');
    const how = kafkaSettings(set, set.KAFKA_BROKERS);
    const admin = (await kafkaClient(how, logger)).admin();
    closing.push(() => admin.disconnect());
    try {
      await within(openMilliseconds, admin.connect());
      return admin;
    } catch (error) {
      if (error instanceof SetupError) throw error;
      const problem = setupProblem(error, how);
      throw problem ? new SetupError(problem) : noBroker(error, how);
    }
  });

  const foundRedis = once(async () => {
    const { REDIS_URL, REDIS_TLS_CA_FILE } = await config();
    if (!REDIS_URL) throw new NotThere('REDIS_URL is not set: each process caches for itself');
    const address = redisAddress(REDIS_URL, REDIS_TLS_CA_FILE);
    const reached = await within(openMilliseconds, reach(address));
    if (!reached.client)
      throw new SetupError(
        `REDIS_URL: the Redis at ${address.place} does not answer (${reached.reason}); until it does, each process caches for itself. Start it, correct REDIS_URL, or leave it unset to cache in memory.`,
      );
    const { client } = reached;
    closing.push(() => client.disconnect());
    return client;
  });

  const api = once(async (): Promise<FoundApi> => {
    if (cli.url !== null) {
      checkUrl(cli.url);
      return { url: cli.url, adminUrls: cli.adminUrls };
    }
    if (!(await readFile(path.join(cli.dataDir, 'service.json')).catch(() => null)))
      throw new NotThere(
        'Cool Mint does not run as one process on this machine; set MINT_URL (and MINT_TOKEN) to look at one elsewhere',
      );
    const { url, adminUrl } = await runningService(cli.dataDir);
    return { url, adminUrls: adminUrl ? [adminUrl] : [] };
  });

  return {
    environment,
    cli,
    settings,
    config,
    foundDatabase,
    database,
    migrated,
    work,
    atWork: async () => (await work()).size > 0,
    foundLog,
    log,
    foundBroker,
    broker: orNotThere(foundBroker, 'the broker'),
    foundRedis,
    redis: orNotThere(foundRedis, 'Redis'),
    api,
    async [Symbol.asyncDispose]() {
      const closed = Promise.allSettled(closing.reverse().map(async (close) => close()));
      await within(2_000, closed).catch(() => undefined);
    },
  };
}
