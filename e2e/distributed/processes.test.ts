/**
 * The services as processes of their own, on EventStoreDB, Kafka, Postgres and Redis: commands at one, queries at
 * another, a relay, and two that apply. Those that are killed are replaced, and the rest goes on meanwhile.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { type TestEventStore, testEventStore } from '#shared/testing/test-event-store.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { type Api, createApi } from '../support/api.ts';
import { differencesFromOracle, oracleOf } from '../support/compare.ts';
import { readModelRows } from '../support/read-model-rows.ts';
import { type ServiceProcess, serviceArguments, startService, stopProcess } from '../support/service-process.ts';
import { settled } from '../support/settled.ts';
import { runWorkload, seedOf } from '../support/workload.ts';

const tenants = ['acme', 'globex', 'initech'];
const parts = { ...serviceArguments, applyToo: serviceArguments.apply };
type Part = keyof typeof parts;

let database: TestDatabase;
let redis: RedisServer;
let dataDir: string;
let gateway: Server;
let log: EventLog;
let pool: Pool;
let env: Record<string, string>;
const running = new Map<Part, ServiceProcess>();

async function start(part: Part): Promise<void> {
  const started = startService(dataDir, env, parts[part]);
  running.set(part, started);
  expect(await started.ready).toMatchObject({ event: 'ready', service: parts[part][0] });
}

/** One origin, as a gateway gives it: commands to one service, queries to the other. */
async function startGateway(): Promise<Server> {
  // Longer than any pause of this file: a connection that is closed at the moment of its next use fails the call.
  const server = createServer({ keepAliveTimeout: 120_000 }, async (request, response) => {
    const part = request.method === 'GET' || request.method === 'HEAD' ? 'queries' : 'commands';
    const { url } = await (running.get(part) as ServiceProcess).ready;
    const body = await Array.fromAsync(request).then((chunks) => Buffer.concat(chunks as Buffer[]));
    const headers = Object.entries(request.headers).filter(
      ([name]) => !/^(host|connection|content-length|transfer-encoding|expect)$/.test(name),
    );
    const answer = await fetch(`${url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as [string, string][],
      ...(body.length > 0 ? { body } : {}),
    });
    response.writeHead(
      answer.status,
      Object.fromEntries([...answer.headers].filter(([name]) => !/encoding|length/.test(name))),
    );
    response.end(Buffer.from(await answer.arrayBuffer()));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

const gatewayUrl = () => `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
const api = (tenant: string): Promise<Api> =>
  createApi(gatewayUrl(), dataDir, { tenant, headers: { Prefer: 'wait=30' } });

beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), startRedisServer()]);
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-processes-'));
  const eventStore = testEventStore() as TestEventStore;
  const kafka = testKafka() as TestKafka;
  env = {
    DATABASE_URL: database.url,
    EVENTSTORE_URL: eventStore.url,
    EVENTSTORE_STREAM_PREFIX: eventStore.prefix,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC: kafka.topic,
    REDIS_URL: redis.url,
  };
  await start('commands');
  await Promise.all((Object.keys(parts) as Part[]).filter((part) => part !== 'commands').map(start));
  gateway = await startGateway();
  log = await eventStoreLog(eventStore);
  pool = new Pool({ connectionString: database.url });
}, 90_000);
afterAll(async () => {
  gateway?.closeAllConnections();
  gateway?.close();
  for (const { child } of running.values()) await stopProcess(child, 'SIGKILL');
  await pool?.end();
  await log?.close();
  await database?.drop();
  await redis?.[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

async function differences(): Promise<string[]> {
  await settled(pool, await log.head());
  return differencesFromOracle(oracleOf(await readLog(log)), await readModelRows(pool));
}

let round = 0;
const work = (rounds: number) =>
  Promise.all(
    tenants.map(async (tenant, index) =>
      runWorkload(await api(tenant), { seed: seedOf(61 + ++round, index), rounds, tasks: 50 }),
    ),
  );

describe('services as processes', () => {
  test('do together what one process does', { timeout: 120_000 }, async () => {
    await work(10);
    expect(await differences()).toEqual([]);
  });

  test('each answers for what it is, and says that it is ready', async () => {
    for (const [part, { ready }] of running) {
      const { adminUrl, url } = await ready;
      const health = await fetch(`${adminUrl}/health/ready`);
      expect([part, health.status, await health.json()]).toEqual([part, 200, { status: 'ready', missing: [] }]);
      if (url === adminUrl) expect((await fetch(`${url}/api/v1/activities`)).status).toBe(404);
    }
    const { url } = await (running.get('queries') as ServiceProcess).ready;
    expect((await fetch(`${url}/api/v1/selections`, { method: 'POST' })).status).toBe(405);
  });

  test.each(['apply', 'relay', 'applyToo', 'queries'] as const)(
    '%s is killed, and comes back: nothing is lost or doubled',
    {
      timeout: 120_000,
    },
    async (part) => {
      const working = part === 'queries' ? null : work(5);
      await stopProcess((running.get(part) as ServiceProcess).child, 'SIGKILL');
      await working;
      await start(part);
      await work(2);
      expect(await differences()).toEqual([]);
    },
  );

  test('Redis is flushed, then killed: answers are the same', { timeout: 90_000 }, async () => {
    const client = await api('acme');
    const listing = async () => (await client.ok(client.get('/activities?limit=20'))).body.data;
    const before = await listing();
    await redis.command('flushall');
    expect(await listing()).toEqual(before);
    await redis.kill();
    expect(await listing()).toEqual(before);
    await work(2);
    await redis.restart();
    expect(await differences()).toEqual([]);
  });

  test('told to end, each ends by itself', { timeout: 60_000 }, async () => {
    for (const [part, { child }] of running) expect([part, await stopProcess(child)]).toEqual([part, 0]);
  });
});

test('a service of its own says what it needs', { timeout: 60_000 }, async () => {
  const refused = async (which: readonly string[], settings: Record<string, string>) => {
    const { ready } = startService(dataDir, { ...settings }, which);
    return ready.then(
      () => 'ready',
      (error: Error) => error.message,
    );
  };
  expect(await refused(['query-service'], {})).toMatch(/DATABASE_URL/);
  expect(await refused(['projector', '--only', 'relay'], { DATABASE_URL: database.url })).toMatch(/KAFKA_BROKERS/);
  expect(await refused(['query-service', '--only', 'relay'], { DATABASE_URL: database.url })).toMatch(
    /start projector/,
  );
});
