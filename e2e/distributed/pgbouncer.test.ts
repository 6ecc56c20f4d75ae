/** Everything through PgBouncer in transaction mode, but for what needs a session. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pollMilliseconds } from '#shared/event-log/append-signal.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { logsInUse, takeInstallation } from '#shared/postgres/installation-lock.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { type PgBouncer, startPgBouncer } from '#shared/testing/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { compareWithOracle } from '../support/compare.ts';
import { rebuild } from '../support/rebuild.ts';
import { startService, stopProcess } from '../support/service-process.ts';
import { startSystem } from '../support/system.ts';
import { runWorkload, seedOf } from '../support/workload.ts';

let database: TestDatabase;
let other: TestDatabase;
let bouncer: PgBouncer;

beforeAll(async () => {
  [database, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  bouncer = await startPgBouncer(database.url);
});
afterAll(async () => {
  await bouncer?.[Symbol.asyncDispose]();
  await database?.drop();
  await other?.drop();
});

async function connected(connectionString: string) {
  const client = new Client({ connectionString });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

const through = ({ url }: TestDatabase) => ({ DATABASE_URL: bouncer.urlOf(url), DATABASE_DIRECT_URL: url });
const tenants = ['acme', 'globex', 'initech'];

describe.each([
  ['with the log in Postgres', { eventStore: null, kafka: null }],
  ['with EventStoreDB and Kafka', {}],
])('%s', (_name, parts) => {
  test('rows equal the oracle, and those of a rebuild are the same', { timeout: 120_000 }, async () => {
    await using system = await startSystem({
      ...parts,
      env: through,
    });
    await Promise.all(
      tenants.map(async (tenant, index) => {
        const api = await system.api({ tenant, headers: { Prefer: 'wait=30' } });
        await runWorkload(api, { seed: seedOf(616, index), rounds: 12, tasks: 60 });
      }),
    );
    expect(await compareWithOracle(system)).toEqual([]);
    await rebuild(await system.api('acme'), 'catalog');
    expect(await compareWithOracle(system)).toEqual([]);
    expect(system.errors).toEqual([]);
  });
});

test('readers are woken past it', async () => {
  const never = 86_400_000;
  await using system = await startSystem({
    eventStore: null,
    kafka: null,
    env: through,
    // Whoever is not woken does not look either.
    runtime: {
      ...systemRuntime,
      sleep: (milliseconds, signal) =>
        systemRuntime.sleep(milliseconds === pollMilliseconds ? never : milliseconds, signal),
    },
  });
  const api = await system.api('acme');
  for (let index = 0; index < 5; index++) {
    await api.ok(api.post('/selections', { name: `woken ${index}` }), 201);
    await system.settle();
  }
});

test('that nobody is at work any more is known although it keeps sessions of theirs', async () => {
  const own = await createTestDatabase();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-pooled-'));
  // A pooler that keeps sessions for long, as it does by default.
  const keeping = await startPgBouncer(own.url, { server_idle_timeout: 600 });
  const env = { DATABASE_URL: keeping.urlOf(own.url), DATABASE_DIRECT_URL: own.url, DEMO: 'off' };
  const service = startService(dataDir, env);
  try {
    await service.ready;
    expect([...(await logsInUse(own.url))]).toEqual(['postgres']);
    await stopProcess(service.child, 'SIGKILL');
    await using client = await connected(own.url);
    const kept = "select from pg_stat_activity where application_name = 'cool-mint' and datname = current_database()";
    expect((await client.query(kept)).rowCount).toBeGreaterThan(0);
    await using alone = await takeInstallation(own.url);
    expect(alone).not.toBeNull();
  } finally {
    await stopProcess(service.child, 'SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
    await keeping[Symbol.asyncDispose]();
    await own.drop();
  }
});

test('a pooler without the way past it is refused, and a way to another database', async () => {
  const pooled = bouncer.urlOf(database.url);
  await expect(checkDatabase({ DATABASE_URL: pooled })).rejects.toThrow(/pooler.*DATABASE_DIRECT_URL/s);
  await expect(checkDatabase({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: other.url })).rejects.toThrow(
    /another database/,
  );
  await checkDatabase({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: database.url });
  await checkDatabase({ DATABASE_URL: database.url });
});
