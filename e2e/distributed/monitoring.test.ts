/**
 * What dashboards, alerts and recording rules ask for is there: the services as processes on EventStoreDB, Kafka, Redis and
 * Postgres behind PgBouncer, a gateway before them, a process that backs up, and what exports for others, asked by a real Prometheus with the
 * project's own configuration.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { expressions, rules } from '#observability/testing/expressions.ts';
import { type PrometheusServer, startPrometheus } from '#observability/testing/prometheus-server.ts';
import { evaluable, parseExpression } from '#observability/testing/promql.ts';
import { demoFiles } from '#shared/demo/demo-files.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { type PgBouncer, startPgBouncer } from '#shared/testing/pgbouncer.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { type ServerProcess, startServer } from '#shared/testing/server-process.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { type TestEventStore, testEventStore } from '#shared/testing/test-event-store.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { composed } from '../../deploy/testing/compose.ts';
import { type Api, createApi } from '../support/api.ts';
import { startCoolMint } from '../support/cool-mint.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { importFiles } from '../support/import-files.ts';
import { rebuild } from '../support/rebuild.ts';
import { type ServiceProcess, serviceArguments, startService, stopProcess } from '../support/service-process.ts';

const parts = serviceArguments;
type Part = keyof typeof parts;

let database: TestDatabase;
let redis: RedisServer;
let bouncer: PgBouncer;
let exporters: ServerProcess[];
let gateway: Gateway;
let client: Api;
let backup: ReturnType<typeof startCoolMint>;
let dataDir: string;
let prometheus: PrometheusServer;
let collector: Server;
/** What was sent to it: OTLP, in which a trace id is 16 bytes as they are. */
const traces: Buffer[] = [];
const running = new Map<Part, ServiceProcess>();
const hosts = new Map<Part, string>();

async function start(part: Part, env: Readonly<Record<string, string>>): Promise<void> {
  const started = startService(dataDir, env, parts[part]);
  running.set(part, started);
  hosts.set(part, new URL((await started.ready).adminUrl).host);
}

/** Takes what is sent to /v1/traces. */
async function startCollector(): Promise<Server> {
  const server = createServer(async (request, response) => {
    for await (const chunk of request) traces.push(chunk as Buffer);
    response.writeHead(request.url === '/v1/traces' ? 200 : 404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

const host = (part: Part) => hosts.get(part) as string;

/** As docker-compose.yml starts them, but for where they listen and what they ask. */
async function startExporter(name: 'node-exporter' | 'gateway-exporter', own: readonly string[]): Promise<string> {
  const port = await freePort();
  const [given, program] = [(await composed('docker-compose.yml')).services[name]?.command ?? [], exporterOf[name]];
  const args = given.filter((each) => !/^--(path|nginx)\./.test(each));
  exporters.push(
    await startServer({
      command: program,
      args: [...args, ...own, `--web.listen-address=127.0.0.1:${port}`],
      ports: [port],
      hint: `apt-get install ${program}`,
    }),
  );
  return `127.0.0.1:${port}`;
}
const exporterOf = { 'node-exporter': 'prometheus-node-exporter', 'gateway-exporter': 'prometheus-nginx-exporter' };

/** Answers where it tells its metrics. */
async function startBackup(env: Readonly<Record<string, string>>): Promise<string> {
  const port = await freePort();
  const to = path.join(dataDir, 'backups');
  const made = Promise.withResolvers<void>();
  backup = startCoolMint(
    ['backup', '--to', to, '--every', '1h'],
    { ...env, DATA_DIR: dataDir, ADMIN_PORT: `${port}` },
    (out) => (out.includes('"event":"backed-up"') ? made.resolve() : undefined),
  );
  await Promise.race([made.promise, backup.ended.then(({ out, err }) => Promise.reject(new Error(`${out}${err}`)))]);
  return `127.0.0.1:${port}`;
}

/** A bit of everything that is watched. */
async function work(): Promise<void> {
  await importFiles(
    client,
    demoFiles({ activities: 120, seed: 3 }).map(({ object, rows }) => ({ object, text: [...rows()].join('') })),
  );
  await rebuild(client, 'audit');
  await read();
}

async function read(): Promise<void> {
  const opened = await client.ok(client.post('/selections', { name: 'Watched', purpose: 'to be seen' }), 201);
  const demand = { 'Cool-Mint-Min-Position': opened.position };
  for (const path of ['/activities?limit=5', '/activities?limit=5', '/selections', '/audit?limit=5', '/sync-runs'])
    await client.ok(client.get(path, demand));
  await client.ok(client.get('/audit/export?format=ndjson'));
  expect((await client.get('/activities/018f0000-0000-7000-8000-000000000000')).status).toBe(404);
}

/** Prometheus has asked all of them once more. */
async function askedAgain(): Promise<void> {
  const since = Date.now() / 1000;
  const all = async () => {
    const times = await prometheus.query('timestamp(up == 1)');
    return times.length === 7 && times.every(({ value }) => Number(value[1]) > since);
  };
  while (!(await all())) await wait(100);
}

beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), startRedisServer()]);
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-monitoring-'));
  collector = await startCollector();
  const eventStore = testEventStore() as TestEventStore;
  const kafka = testKafka() as TestKafka;
  bouncer = await startPgBouncer(inject('postgresUrl'));
  const env = {
    DATABASE_URL: bouncer.urlOf(database.url),
    DATABASE_DIRECT_URL: database.url,
    EVENTSTORE_URL: eventStore.url,
    EVENTSTORE_STREAM_PREFIX: eventStore.prefix,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC: kafka.topic,
    REDIS_URL: redis.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  await start('commands', env);
  await Promise.all((['queries', 'relay', 'apply'] as const).map((part) => start(part, env)));
  const [commands, queries] = await Promise.all(
    (['commands', 'queries'] as const).map(async (part) => (await (running.get(part) as ServiceProcess).ready).url),
  );
  gateway = await startGateway({
    commands: new URL(commands as string).host,
    queries: new URL(queries as string).host,
    generous: true,
  });
  exporters = [];
  prometheus = await startPrometheus({
    'command-service': [host('commands')],
    'query-service': [host('queries')],
    projector: [host('relay'), host('apply')],
    gateway: [await startExporter('gateway-exporter', [`--nginx.scrape-uri=${gateway.insideUrl}/gateway/connections`])],
    backup: [await startBackup(env)],
    'node-exporter': [await startExporter('node-exporter', [])],
  });
  // A rate needs two points of its own, and rules are evaluated after that.
  client = await createApi(gateway.url, dataDir, { tenant: 'acme', headers: { Prefer: 'wait=30' } });
  await work();
  await askedAgain();
  await read();
  await askedAgain();
  await askedAgain();
}, 120_000);
afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  for (const exporter of exporters ?? []) await exporter.kill();
  backup?.child.kill('SIGKILL');
  await gateway?.[Symbol.asyncDispose]();
  collector?.closeAllConnections();
  collector?.close();
  for (const { child } of running.values()) await stopProcess(child, 'SIGKILL');
  await bouncer?.[Symbol.asyncDispose]();
  await database?.drop();
  await redis?.[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

/** Where there is nothing to see while all is well, and why. */
const emptyWhenHealthy = new Map([
  ['ALERTS', 'no alert fires'],
  ['cool_mint_projection_rebuild_events', 'only while a rebuild is under way'],
]);
/** Values that there are only when something is wrong. */
const onlyWhenWrong = new Set(['status', 'code', 'alertstate']);
/** A container may have no file system of its own. */
const ofDisks = /^(node_filesystem_|instance:node_filesystem_)/;

/** Labels of all series of a metric that there are now. */
const seriesOf = async (metric: string) => (await prometheus.query(`{__name__="${metric}"}`)).map((one) => one.metric);

/** Each metric that is named somewhere, with where, and the labels that are asked for there. */
const asked = Map.groupBy(
  (await expressions()).flatMap(({ where, expr }) =>
    parseExpression(expr).selectors.map((selector) => ({ where, ...selector })),
  ),
  ({ metric }) => metric,
);

/** Each of the alternatives that an expression asks for, is there. */
const valuesFit = (values: readonly string[], label: string, operator: string, asked: string): boolean =>
  onlyWhenWrong.has(label) ||
  (operator === '='
    ? values.includes(asked)
    : asked.split('|').every((each) => values.some((value) => new RegExp(`^(?:${each})$`).test(value))));

async function missingSeries(): Promise<string[]> {
  const missing: string[] = [];
  const hasDisks = (await seriesOf('node_filesystem_size_bytes')).length > 0;
  for (const [metric, selectors] of asked) {
    if (emptyWhenHealthy.has(metric) || (!hasDisks && ofDisks.test(metric))) continue;
    const series = await seriesOf(metric);
    for (const { where, matchers } of selectors) {
      if (series.length === 0) missing.push(`${where}: ${metric}`);
      for (const { label, operator, value } of matchers) {
        // Given by Prometheus where it runs in Kubernetes.
        if (label === 'namespace') continue;
        const values = [...new Set(series.map((labels) => labels[label]))];
        const there =
          !values.includes(undefined) &&
          (operator.startsWith('!') || valuesFit(values as string[], label, operator, value));
        if (!there) missing.push(`${where}: ${metric}{${label}${operator}"${value}"}, there is ${values}`);
      }
    }
  }
  return missing;
}

async function emptyPanels(): Promise<string[]> {
  const empty: string[] = [];
  const hasDisks = (await seriesOf('node_filesystem_size_bytes')).length > 0;
  for (const { where, expr, kind, legend = '' } of await expressions()) {
    const metrics = parseExpression(expr).selectors.map(({ metric }) => metric);
    if (kind !== 'panel' || (!hasDisks && metrics.some((metric) => ofDisks.test(metric)))) continue;
    const result = await prometheus.query(evaluable(expr));
    if (result.length === 0 && !metrics.every((metric) => emptyWhenHealthy.has(metric)))
      empty.push(`${where}: ${expr}`);
    for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g))
      if (result.some(({ metric }) => !metric[label as string])) empty.push(`${where}: a series without ${label}`);
  }
  return empty;
}

// Rules follow what they are made of by a second, and a rate needs two points.
const patience = { timeout: 20_000, interval: 500 };

describe('in a running system', () => {
  test('there is every metric that is named, with every label and value that is asked for', () =>
    expect.poll(missingSeries, patience).toEqual([]));

  test('every panel shows something, and its series have the labels of their names', { timeout: 60_000 }, async () => {
    // Rates are of one minute, and on a busy machine the work of the beginning was longer ago.
    await read();
    await askedAgain();
    await expect.poll(emptyPanels, patience).toEqual([]);
  });

  test('no alert has anything to tell', async () => {
    // A machine that is busy with tests is slow, and its disk is its own.
    const ofThisMachine = [
      'SlowRequests',
      'SlowAppends',
      'EventLoopBlocked',
      'DatabasePoolExhausted',
      'DiskSpaceLow',
      'DiskAlmostFull',
    ];
    for (const { alert, expr } of await rules())
      if (alert && !ofThisMachine.includes(alert))
        await expect.poll(() => prometheus.query(expr), { timeout: 30_000, message: alert }).toEqual([]);
  });

  test('points of a line lead to traces that were sent to the collector', async () => {
    const panel = (await expressions()).find(({ where }) => where === 'queries: Time of a request');
    const query = encodeURIComponent(evaluable(panel?.expr ?? ''));
    const now = Date.now() / 1000;
    const found = await prometheus.get<{ exemplars: { labels: Record<string, string> }[] }[]>(
      `/api/v1/query_exemplars?query=${query}&start=${now - 600}&end=${now}`,
    );
    const labels = found.flatMap(({ exemplars }) => exemplars.map((exemplar) => exemplar.labels));
    expect(labels.length).toBeGreaterThan(0);
    for (const each of labels) {
      const id = Buffer.from(each['trace_id'] ?? '', 'hex');
      expect(id).toHaveLength(16);
      await expect.poll(() => Buffer.concat(traces).includes(id)).toBe(true);
    }
  });

  test('a process that is killed is told of by its alert', { timeout: 60_000 }, async () => {
    await stopProcess((running.get('apply') as ServiceProcess).child, 'SIGKILL');
    const told = async () =>
      (await prometheus.get<{ alerts: { labels: Record<string, string> }[] }>('/api/v1/alerts')).alerts.map(
        ({ labels }) => [labels['alertname'], labels['job'], labels['instance']],
      );
    await expect.poll(told, { timeout: 30_000 }).toContainEqual(['ServiceDown', 'projector', host('apply')]);
  });
});
