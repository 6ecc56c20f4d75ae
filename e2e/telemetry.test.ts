import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SpanContext } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startConfig } from '#cli/start/config.ts';
import { type Service, startService } from '#cli/start/start-service.ts';
import { issueToken } from '#shared/access/local-issuer.ts';
import { streamName } from '#shared/events/stream-name.ts';
import { createLogger } from '#shared/telemetry/logger.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';

/** Spans that have ended, as far as this test looks at them. */
const spans: {
  readonly name: string;
  readonly attributes: object;
  readonly events: object;
  readonly status: object;
  readonly links: readonly { readonly context: SpanContext }[];
  spanContext(): SpanContext;
}[] = [];
const logged: string[] = [];
let sdk: NodeSDK;
let database: TestDatabase;
let dataDir: string;
let machine: Service;
let token: string;

beforeAll(async () => {
  sdk = new NodeSDK({
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => void spans.push(span),
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ],
    instrumentations: [],
  });
  sdk.start();
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-telemetry-'));
  const config = startConfig({
    PORT: '0',
    ADMIN_PORT: '0',
    DATA_DIR: dataDir,
    DEMO: 'off',
    DATABASE_URL: database.url,
    LOG_LEVEL: 'debug',
  });
  const logger = createLogger('debug', false, { write: (line) => void logged.push(line) });
  machine = await startService({ config, version: 'test', logger });
  token = await issueToken(dataDir, { tenant: 'acme', actor: 'user-1', name: 'Ann Example', hours: 1 });
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
  await sdk.shutdown();
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const secret = 'a very private purpose';

async function openSelection(): Promise<{ id: string; position: string }> {
  const response = await fetch(`${machine.url}/api/v1/selections?`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    },
    body: JSON.stringify({ name: 'Traced', purpose: secret }),
  });
  expect(response.status).toBe(201);
  return {
    id: ((await response.json()) as { id: string }).id,
    position: response.headers.get('cool-mint-position') as string,
  };
}

describe('one trace', () => {
  test('tells request, command and append, and stands in the metadata of the event', async () => {
    const { id } = await openSelection();
    for await (const event of machine.log.readStream('acme', streamName.selection(id)))
      expect(event.metadata.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const ofTrace = () => spans.filter((span) => span.spanContext().traceId === traceId).map(({ name }) => name);
    await expect
      .poll(ofTrace)
      .toEqual(expect.arrayContaining(['POST /api/v1/selections', 'command', 'event-log append']));
  });

  test('is linked to by each batch that applies its events', async () => {
    await openSelection();
    const linked = () =>
      spans
        .filter(
          ({ name, links }) => name === 'projection batch' && links.some(({ context }) => context.traceId === traceId),
        )
        .map(({ attributes }) => (attributes as Record<string, unknown>)['projection.name']);
    await expect.poll(linked).toEqual(expect.arrayContaining(['catalog', 'audit']));
  });

  test('stands in the lines of the log of its request', async () => {
    await openSelection();
    const ofTrace = () =>
      logged
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter((line) => line['trace_id'] === traceId)
        .map(({ route, span_id: span }) => [route, span]);
    await expect.poll(ofTrace).toContainEqual(['/api/v1/selections', expect.stringMatching(/^[0-9a-f]{16}$/)]);
  });

  test('batches of projections and queries have spans of their own', async () => {
    const { position } = await openSelection();
    const answer = await fetch(`${machine.url}/api/v1/selections`, {
      headers: { authorization: `Bearer ${token}`, 'cool-mint-min-position': position },
    });
    expect(answer.status).toBe(200);
    const names = () => spans.map(({ name }) => name);
    await expect
      .poll(names)
      .toEqual(expect.arrayContaining(['projection batch', 'read model query', 'GET /api/v1/selections']));
  });
});

test('neither logs nor spans hold a payload, a token or a name', async () => {
  await openSelection();
  const told =
    logged.join('') +
    JSON.stringify(spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })));
  expect(logged.join('')).toContain('/api/v1/selections');
  for (const hidden of [secret, token, 'Ann Example', database.url]) expect(told).not.toContain(hidden);
});
