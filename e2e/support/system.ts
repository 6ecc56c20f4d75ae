/**
 * The whole system, on a database of its own, and on the event log that the run of the tests is about: in this process, or
 * where the run is about the gateway as processes behind it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { startConfig } from '#cli/start/config.ts';
import { startService } from '#cli/start/start-service.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { App } from '#shared/http/app.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { type TestEventStore, testEventStore } from '#shared/testing/test-event-store.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { type Api, createApi, type Json, type Who } from './api.ts';
import { startBehindGateway } from './behind-gateway.ts';
import { type ReadModelRows, readModelRows } from './read-model-rows.ts';
import { settled } from './settled.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** True where the run is about the services as processes behind the gateway. */
    gateway: boolean;
  }
}

export const isBehindGateway = (): boolean => inject('gateway') === true;

/** What tests need of it, wherever it runs. */
export interface Machine extends AsyncDisposable {
  readonly url: string;
  readonly pool: Pool;
  readonly log: EventLog;
  /** Null where it is another process. */
  readonly app: App | null;
  /** Lines that were logged as an error. */
  readonly errors: readonly Json[];
}

export interface System extends AsyncDisposable {
  readonly machine: Machine;
  readonly database: TestDatabase;
  readonly dataDir: string;
  /** Lines that were logged as an error. */
  readonly errors: readonly Json[];
  api(who: string | Who): Promise<Api>;
  /** Resolves when every slot of every projection has reached the position (the head of the log where none is given). */
  settle(position?: string): Promise<void>;
  rows(): Promise<ReadModelRows>;
  /** The whole log. */
  events(): Promise<RecordedEvent[]>;
  /** Stops it and starts it anew on the same database and data folder, perhaps with other settings from now on. */
  restart(env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface SystemOptions {
  /** Awaited by the projector before each transaction. */
  readonly pace?: () => Promise<void>;
  /** Awaited by the relay before each send. */
  readonly relayPace?: () => Promise<void>;
  /** How events reach the projections; as the run of the tests says where it is not given, null: directly. */
  readonly kafka?: TestKafka | null;
  /** More settings, perhaps for the database that is made. */
  readonly env?: (database: TestDatabase) => Readonly<Record<string, string>>;
  /** Time and waiting of the whole service. */
  readonly runtime?: Runtime;
  /** Where the event log is; as the run of the tests says where it is not given, null: in Postgres. */
  readonly eventStore?: TestEventStore | null;
}

export async function startSystem(given: SystemOptions = {}): Promise<System> {
  const options = { eventStore: testEventStore(), kafka: testKafka(), ...given };
  await using stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.drop());
  const dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-e2e-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  let settings: Record<string, string> = {
    PORT: '0',
    ADMIN_PORT: '0',
    DEMO: 'off',
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    LOG_LEVEL: 'error',
    ...(options.kafka ? { KAFKA_BROKERS: options.kafka.brokers, KAFKA_TOPIC: options.kafka.topic } : {}),
    ...(options.eventStore
      ? { EVENTSTORE_URL: options.eventStore.url, EVENTSTORE_STREAM_PREFIX: options.eventStore.prefix }
      : {}),
    ...options.env?.(database),
  };
  const startHere = async (): Promise<Machine> => {
    const { pace, relayPace, runtime } = options;
    const errors: Json[] = [];
    const logger = pino(
      { level: 'error', base: null },
      { write: (line: string) => void errors.push(JSON.parse(line)) },
    );
    const started = await startService({
      config: startConfig(settings),
      version: '0.0.0-test',
      logger,
      ...(pace ? { pace } : {}),
      ...(relayPace ? { relayPace } : {}),
      ...(runtime ? { runtime } : {}),
    });
    while (!(await fetch(`${started.adminUrl}/health/ready`)).ok) await wait(10);
    const { url, pool, log, app } = started;
    return { url, pool, log, app, errors, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
  };
  const start = isBehindGateway() ? () => startBehindGateway(dataDir, settings) : startHere;
  let machine = await start();
  const before: Json[] = [];
  stack.defer(() => machine[Symbol.asyncDispose]());
  const owned = stack.move();

  return {
    get machine() {
      return machine;
    },
    database,
    dataDir,
    get errors() {
      return [...before, ...machine.errors];
    },
    api: (who) => createApi(machine.url, dataDir, typeof who === 'string' ? { tenant: who } : who),
    settle: async (position) => settled(machine.pool, position ?? (await machine.log.head())),
    rows: () => readModelRows(machine.pool),
    events: () => readLog(machine.log),
    async restart(env = {}) {
      await machine[Symbol.asyncDispose]();
      before.push(...machine.errors);
      settings = { ...settings, ...env };
      machine = await start();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
