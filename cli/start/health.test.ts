import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { phasedHealth, serviceHealth } from '#cli/start/health.ts';
import { projections } from '#projector/projections.ts';
import { runProjection, statusAtStart } from '#projector/run-projection.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { createAdminApp } from '#shared/http/admin-app.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase } from '#shared/testing/test-database.ts';
import type { Transport } from '#shared/transport/transport.ts';

const logger = pino({ level: 'silent' });
const catalog = projections.find(({ name }) => name === 'catalog') as (typeof projections)[number];

/** A clock that is put forward. */
function clock(): Runtime & { forward(milliseconds: number): void } {
  let ahead = 0;
  return {
    ...systemRuntime,
    now: () => new Date(Date.now() + ahead),
    forward: (milliseconds) => {
      ahead += milliseconds;
    },
  };
}

describe('a process whose loop hangs', () => {
  test('is dead after half a minute, while one with nothing to do lives on', { timeout: 30_000 }, async () => {
    const database = await createTestDatabase();
    const pool = createPool(database.url, 'test', 4, logger);
    const log = await postgresEventLog({ pool, directUrl: database.url });
    const stop = new AbortController();
    const runtime = clock();
    let hangs = false;
    let deliveries = 0;
    const transport: Transport = {
      async *deliver(_reader, _from, signal) {
        while (!signal.aborted) {
          // As a client that never answers does.
          await (hangs
            ? new Promise((resolve) => signal.addEventListener('abort', resolve))
            : systemRuntime.sleep(5, signal));
          deliveries++;
          yield { events: [], watermarks: [] };
        }
      },
    };
    const status = statusAtStart(runtime);
    const parts = { pool, log, transport, cache: memoryCache(), logger, runtime };
    const loop = runProjection(parts, catalog, status, stop.signal);
    const health = serviceHealth({
      pool,
      remoteLog: null,
      projections: new Map([['catalog', status]]),
      relay: null,
      runtime,
    });
    const app = createAdminApp(health, logger);
    const live = async () => {
      const { statusCode, body } = await app.inject('/health/live');
      return [statusCode, JSON.parse(body).dead];
    };
    /** Two turns of the loop, so that one began after now. */
    const turns = async () => {
      const seen = deliveries;
      await expect.poll(() => deliveries).toBeGreaterThan(seen + 1);
    };
    await turns();
    runtime.forward(45_000);
    await turns();
    expect(await live()).toEqual([200, []]);
    hangs = true;
    await expect
      .poll(async () => {
        const seen = deliveries;
        await systemRuntime.sleep(20);
        return deliveries === seen;
      })
      .toBe(true);
    runtime.forward(29_000);
    expect(await live()).toEqual([200, []]);
    runtime.forward(2_000);
    expect(await live()).toEqual([503, ['projection catalog']]);
    stop.abort();
    await loop;
    await app.close();
    await log.close();
    await pool.end();
    await database.drop();
  });

  test('a relay too', () => {
    const runtime = clock();
    const relay = { state: 'leading' as const, error: null, tickedAt: runtime.now().getTime() };
    const health = serviceHealth({ pool: null as never, remoteLog: null, projections: new Map(), relay, runtime });
    expect(health.dead()).toEqual([]);
    runtime.forward(31_000);
    expect(health.dead()).toEqual(['relay']);
  });
});

test('what a process says of itself from its first moment to its last', async () => {
  const phases = phasedHealth();
  const app = createAdminApp(phases.health, logger);
  const ready = async () => {
    const { statusCode, body } = await app.inject('/health/ready');
    return [statusCode, JSON.parse(body).missing];
  };
  phases.starting('the migrations of the database');
  expect(await ready()).toEqual([503, ['it is starting: the migrations of the database']]);
  expect((await app.inject('/health/live')).statusCode).toBe(200);
  phases.working({ dead: () => ['relay'], starting: () => false, missing: async () => [] });
  expect(await ready()).toEqual([200, []]);
  expect((await app.inject('/health/live')).statusCode).toBe(503);
  phases.stopping();
  expect(await ready()).toEqual([503, ['it is stopping']]);
  expect((await app.inject('/health/live')).statusCode).toBe(200);
  await app.close();
});
