/** Everything through PgBouncer in transaction mode, but for what needs a session. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pollMilliseconds } from '#shared/event-log/append-signal.ts';
import { checkDatabase } from '#shared/postgres/check-database.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { type PgBouncer, startPgBouncer } from '#shared/testing/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { compareWithOracle } from '../support/compare.ts';
import { rebuild } from '../support/rebuild.ts';
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

test('a pooler without the way past it is refused, and a way to another database', async () => {
  const pooled = bouncer.urlOf(database.url);
  await expect(checkDatabase({ DATABASE_URL: pooled })).rejects.toThrow(/pooler.*DATABASE_DIRECT_URL/s);
  await expect(checkDatabase({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: other.url })).rejects.toThrow(
    /another database/,
  );
  await checkDatabase({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: database.url });
  await checkDatabase({ DATABASE_URL: database.url });
});
