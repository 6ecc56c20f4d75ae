/**
 * One trace tells the whole way, as a collector receives it: request, command and append are its spans; what the relay
 * sends, the broker is given, the readers take and the batches apply is linked to it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { createApi, type Json } from '../support/api.ts';
import { type ServiceProcess, startService, stopProcess } from '../support/service-process.ts';

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly kind: number;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly traceId: string }[];
}

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spans: Span[] = [];
let collector: Server;
let database: TestDatabase;
let dataDir: string;
let service: ServiceProcess;

beforeAll(async () => {
  // The receiving end of OTLP over HTTP, in JSON.
  collector = createServer(async (request, response) => {
    const body: Json = JSON.parse(Buffer.concat((await Array.fromAsync(request)) as Buffer[]).toString('utf8'));
    for (const resource of body.resourceSpans ?? [])
      for (const scope of resource.scopeSpans ?? []) spans.push(...scope.spans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => collector.once('listening', resolve));
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-trace-'));
  const { brokers, topic } = testKafka() as TestKafka;
  service = startService(dataDir, {
    DEMO: 'off',
    DATABASE_URL: database.url,
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC: topic,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  });
  await service.ready;
}, 60_000);
afterAll(async () => {
  await stopProcess(service.child);
  await database?.drop();
  collector?.close();
  await rm(dataDir, { recursive: true, force: true });
});

test('through Kafka', { timeout: 60_000 }, async () => {
  const { url } = await service.ready;
  const api = await createApi(url, dataDir, {
    tenant: 'acme',
    headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  });
  await api.ok(api.post('/selections', { name: 'Traced' }), 201);
  const own = () => spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
  const linked = () =>
    spans.filter(({ links }) => links?.some((link) => link.traceId === traceId)).map(({ name }) => name);
  await expect
    .poll(own, { timeout: 30_000 })
    .toEqual(expect.arrayContaining(['POST /api/v1/selections', 'command', 'event-log append']));
  await expect
    .poll(linked, { timeout: 30_000 })
    .toEqual(expect.arrayContaining(['relay send', 'kafka produce', 'kafka consume', 'projection batch']));
  // The send to the broker is a part of the relay's; three readers take the event over, each with a batch of its own.
  const byName = (name: string) =>
    spans.filter((span) => span.name === name && span.links?.some((link) => link.traceId === traceId));
  await expect.poll(() => byName('projection batch'), { timeout: 30_000 }).toHaveLength(3);
  await expect.poll(() => byName('kafka consume'), { timeout: 30_000 }).toHaveLength(3);
  const [produced] = byName('kafka produce');
  expect(byName('relay send').map(({ spanId }) => spanId)).toContain(produced?.parentSpanId);
  expect([produced?.kind, ...byName('kafka consume').map(({ kind }) => kind)]).toEqual([4, 5, 5, 5]);
});
