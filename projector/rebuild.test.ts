import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rebuildMetrics } from '#projector/metrics.ts';
import type { Projection } from '#projector/projection.ts';
import { projections } from '#projector/projections.ts';
import { requestUpgrade, runRebuilds } from '#projector/rebuild.ts';
import { type ProjectionStatus, runProjection, statusAtStart } from '#projector/run-projection.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import type { EventLog, Expected } from '#shared/event-log/event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { currentVersion, decodeEvent } from '#shared/events/codec.ts';
import type { DomainEvent } from '#shared/events/event.ts';
import { systemTenant } from '#shared/events/metadata.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { directTransport } from '#shared/transport/direct-transport.ts';

const catalog = projections.find(({ name }) => name === 'catalog') as Projection;

const silent = pino({ level: 'silent' });

let database: TestDatabase;
let pool: Pool;
let log: EventLog;
let stop: AbortController;
let loops: Promise<void>[];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 'test', 10, silent);
  log = await postgresEventLog({ pool, directUrl: database.url });
  stop = new AbortController();
  loops = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(loops);
  await log.close();
  await pool.end();
  await database.drop();
});

const parts = () => ({
  pool,
  log,
  transport: directTransport(log, systemRuntime),
  cache: memoryCache(),
  logger: pino({ level: 'silent' }),
  runtime: systemRuntime,
});

function run(projection: Projection): ProjectionStatus {
  const status = statusAtStart(systemRuntime);
  loops.push(runProjection(parts(), projection, status, stop.signal));
  return status;
}
const rebuilds = (projection: Projection) => void loops.push(runRebuilds(parts(), projection, stop.signal));
async function halt(): Promise<void> {
  stop.abort();
  await Promise.all(loops);
  stop = new AbortController();
  loops = [];
}

async function append(tenant: string, stream: string, expected: Expected, ...events: DomainEvent[]): Promise<void> {
  const [result] = await log.append([
    {
      stream,
      expected,
      events: events.map((event) => ({
        ...event,
        id: randomUUID(),
        metadata: {
          tenant,
          recordedAt: new Date().toISOString(),
          actor: 'user-1',
          commandId: randomUUID(),
          requestHash: '',
          correlationId: randomUUID(),
          causationId: null,
          traceparent: null,
          schemaVersion: currentVersion(event.type),
        },
      })),
    },
  ]);
  expect(result?.outcome).toBe('appended');
}

const open = (tenant = 'acme') =>
  append(tenant, `selection-${randomUUID()}`, 'none', {
    type: 'SelectionOpened',
    data: { name: 'x', purpose: null, copiedFrom: null, filter: null, filterPosition: null },
  });

async function request(): Promise<string> {
  const rebuildId = randomUUID();
  const known = (await log.readLast(systemTenant, ['projection-catalog'])).get('projection-catalog');
  await append(systemTenant, 'projection-catalog', known?.revision ?? 'none', {
    type: 'RebuildStarted',
    data: { projection: 'catalog', rebuildId, reason: null },
  });
  return rebuildId;
}

const told = async () => (await Array.fromAsync(log.readStream(systemTenant, 'projection-catalog'))).map(decodeEvent);
async function finished(rebuildId: string) {
  const end = async () =>
    (await told()).find((event) => event.type === 'RebuildFinished' && event.data.rebuildId === rebuildId);
  await expect.poll(end, { timeout: 20_000 }).toBeTruthy();
  return (await end()) as { data: { outcome: string; events: number } };
}
const generations = async () =>
  (
    await pool.query<{ generation: number; state: string; version: number }>(
      "select generation, state, version from projector.generations where projection = 'catalog' order by generation",
    )
  ).rows;
const count = async (generation: number) =>
  Number((await pool.query<{ n: string }>(`select count(*) as n from catalog_g${generation}.selections`)).rows[0]?.n);

describe('a rebuild', () => {
  test('builds the next generation beside the live one, swaps, and both projections and commands go on', async () => {
    for (let index = 0; index < 20; index++) await open(`tenant-${index % 5}`);
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(20);
    rebuilds(catalog);
    const id = await request();
    expect((await finished(id)).data).toMatchObject({ outcome: 'completed', events: 21 });
    expect((await told()).map(({ type }) => type)).toEqual(['RebuildStarted', 'GenerationSwapped', 'RebuildFinished']);
    expect(await generations()).toEqual([
      { generation: 1, state: 'retired', version: 1 },
      { generation: 2, state: 'live', version: 1 },
    ]);
    await open();
    await expect.poll(() => count(2)).toBe(21);
    expect(await count(1)).toBe(20);
  });

  test('keeps the generation before it, and drops older ones', async () => {
    await open();
    run(catalog);
    rebuilds(catalog);
    for (let round = 0; round < 3; round++) await finished(await request());
    expect((await generations()).map(({ generation, state }) => `${generation} ${state}`)).toEqual([
      '3 retired',
      '4 live',
    ]);
    const schemas = await pool.query("select 1 from information_schema.schemata where schema_name like 'catalog_g%'");
    expect(schemas.rowCount).toBe(2);
  });

  test('of a changed version is asked for by itself; until then the old generation stands and says so', async () => {
    await open();
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(1);
    await halt();
    const changed = { ...catalog, version: 2 };
    const status = run(changed);
    await expect.poll(() => status.state).toBe('standing');
    await open();
    await requestUpgrade(parts(), changed);
    await requestUpgrade(parts(), changed);
    expect((await told()).map(({ type }) => type)).toEqual(['RebuildStarted']);
    rebuilds(changed);
    await expect.poll(() => status.state, { timeout: 10_000 }).toBe('running');
    expect((await generations()).at(-1)).toEqual({ generation: 2, state: 'live', version: 2 });
    await expect.poll(() => count(2)).toBe(2);
  });

  test('is asked for once and done by one, where several processes of a new version start at once', async () => {
    for (let index = 0; index < 40; index++) await open(`tenant-${index}`);
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(40);
    await halt();
    const changed = { ...catalog, version: 2 };
    const failed = async () =>
      (await rebuildMetrics.finished.get()).values.find(({ labels }) => labels.outcome === 'failed')?.value ?? 0;
    const before = await failed();
    const statuses = [run(changed), run(changed), run(changed)];
    for (let process = 0; process < 3; process++) rebuilds(changed);
    await expect.poll(() => statuses.map(({ state }) => state), { timeout: 20_000 }).toEqual(Array(3).fill('running'));
    expect((await told()).map(({ type }) => type).slice(0, 2)).toEqual(['RebuildStarted', 'GenerationSwapped']);
    await expect
      .poll(async () => (await told()).map(({ type }) => type))
      .toEqual(['RebuildStarted', 'GenerationSwapped', 'RebuildFinished']);
    expect(await generations()).toEqual([
      { generation: 1, state: 'retired', version: 1 },
      { generation: 2, state: 'live', version: 2 },
    ]);
    expect(await failed()).toBe(before);
  });

  test('of a process that was killed is taken over when its lease has ended', async () => {
    await open();
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(1);
    await pool.query(
      "insert into projector.rebuild_leases (projection, owner, expires_at) values ('catalog', gen_random_uuid(), now() + interval '1 second')",
    );
    rebuilds(catalog);
    const id = await request();
    expect((await finished(id)).data).toMatchObject({ outcome: 'completed' });
  });

  test('mends a projection whose log was exchanged', async () => {
    await open();
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(1);
    await halt();
    // Another log: another id, other events.
    await log.close();
    await pool.query('alter table event_log.events disable trigger all');
    await pool.query('truncate event_log.events');
    await pool.query('alter table event_log.events enable trigger all');
    await pool.query("update event_log.log set id = 'abcdef01'");
    log = await postgresEventLog({ pool, directUrl: database.url });
    for (let index = 0; index < 3; index++) await open();
    const status = run(catalog);
    await expect.poll(() => status.error).toMatch(/npx cool-mint rebuild all/);
    rebuilds(catalog);
    expect((await finished(await request())).data.outcome).toBe('completed');
    await expect.poll(() => status.state, { timeout: 20_000 }).toBe('running');
    await expect.poll(() => count(2)).toBe(3);
  });

  test('that was cancelled leaves the live generation alone and drops its own', async () => {
    for (let index = 0; index < 3; index++) await open();
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(3);
    const id = await request();
    const known = (await told()).length - 1;
    await append(systemTenant, 'projection-catalog', known, {
      type: 'RebuildFinished',
      data: { projection: 'catalog', rebuildId: id, outcome: 'cancelled', error: null, events: 0, seconds: 0 },
    });
    rebuilds(catalog);
    await finished(await request());
    expect((await generations()).map(({ generation, state }) => `${generation} ${state}`)).toEqual([
      '1 retired',
      '2 live',
    ]);
  });

  test('whose process died is resumed from its checkpoints by the next one, as the same generation', async () => {
    for (let index = 0; index < 30; index++) await open(`tenant-${index}`);
    run(catalog);
    await expect.poll(() => count(1).catch(() => 0)).toBe(30);
    const id = await request();
    // Dies at its first look whether it was cancelled, which comes after its first batch.
    const dying = new AbortController();
    const cut: EventLog = {
      ...log,
      readStream: (tenant, stream, from) => {
        if (stream === 'projection-catalog' && dying.signal.aborted === false && building) dying.abort();
        return log.readStream(tenant, stream, from);
      },
    };
    let building = false;
    const watch = (async () => {
      while (!dying.signal.aborted) building = (await generations()).some(({ state }) => state === 'building');
    })();
    await runRebuilds({ ...parts(), log: cut }, catalog, dying.signal);
    await watch;
    expect((await generations()).length).toBeGreaterThanOrEqual(1);
    rebuilds(catalog);
    await finished(id);
    expect((await generations()).at(-1)).toMatchObject({ generation: 2, state: 'live' });
    expect(await count(2)).toBe(30);
  });
});
