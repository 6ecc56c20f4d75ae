import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ConnectionLost } from '#cli/cli-error.ts';
import { createClient } from '#cli/client.ts';
import { loadDemo } from '#cli/load-demo.ts';
import { type ImportEvent, type ImportPart, runImport } from '#cli/run-import.ts';

const totals = { received: 2, recorded: 2, revised: 0, unchanged: 0, stale: 0, deleted: 0, rejected: 0 };
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

type Answer = { readonly status?: number; readonly body: unknown; readonly headers?: Record<string, string> } | 'cut';

/** A service of node:http that answers as told and notes what it was asked. */
async function service(answer: (request: Seen, count: number) => Answer): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    seen.push(asked);
    const told = answer(asked, seen.filter((each) => each.url === asked.url).length);
    if (told === 'cut') return request.socket.destroy();
    return response
      .writeHead(told.status ?? 200, { 'Cool-Mint-Position': 'p9', ...told.headers })
      .end(JSON.stringify(told.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const clientOf = (url: string) => createClient({ url, token: async () => 't', whenAway: '', userAgent: 'test' });
const run = (more: object = {}) => ({ id: 'run-1', status: 'running', resumed: false, parts: [], totals, ...more });
const fine = ({ url }: Seen): Answer => ({ body: url.startsWith('/api/v1/activities') ? { data: [] } : run() });

const part = (label: string, text: string, object: string | null): ImportPart => ({
  label,
  object,
  format: object === null ? 'ndjson' : 'csv',
  bytes: async function* () {
    yield Buffer.from(text);
  },
});
const parts = [part('Task.csv', 'Id\n00T1\n', 'Task'), part('more.ndjson', '{"id":"1"}\n', null)];
const sha = (text: string) => createHash('sha256').update(text).digest('hex');
const asked = { source: 'salesforce', mode: 'partial' as const, mapping: {}, parts };

test('the parts are announced by their digests, sent one after another with them, and the run is completed', async () => {
  const { url, seen } = await service(fine);
  const outcome = await runImport({ client: clientOf(url), ...asked, mapping: { kind: 'Type__c' } });
  expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
    'POST /api/v1/sync-runs',
    'PUT /api/v1/sync-runs/run-1/parts/1?object=Task',
    'PUT /api/v1/sync-runs/run-1/parts/2',
    'POST /api/v1/sync-runs/run-1/complete',
    'GET /api/v1/activities?limit=1',
  ]);
  expect(JSON.parse(String(seen[0]?.body))).toEqual({
    source: 'salesforce',
    channel: 'file',
    mode: 'partial',
    mapping: { kind: 'Type__c' },
    parts: [
      { part: 1, object: 'Task', digest: `sha-256:${sha('Id\n00T1\n')}` },
      { part: 2, object: null, digest: `sha-256:${sha('{"id":"1"}\n')}` },
    ],
  });
  expect(seen[1]?.headers['content-type']).toBe('text/csv');
  expect(seen[1]?.headers['content-digest']).toBe(
    `sha-256=:${Buffer.from(sha('Id\n00T1\n'), 'hex').toString('base64')}:`,
  );
  expect(seen[2]?.headers['content-type']).toBe('application/x-ndjson');
  expect(String(seen[2]?.body)).toBe('{"id":"1"}\n');
  expect(outcome).toEqual({ run: 'run-1', resumed: false, totals, position: 'p9', visible: true });
});

test('of a run that goes on, parts that are whole are not sent again', async () => {
  const { url, seen } = await service((request) =>
    request.url === '/api/v1/sync-runs'
      ? {
          body: run({
            resumed: true,
            parts: [
              { part: 1, batches: 1, whole: true },
              { part: 2, batches: 3, whole: false },
            ],
          }),
        }
      : fine(request),
  );
  const events: ImportEvent[] = [];
  const outcome = await runImport({ client: clientOf(url), ...asked, tell: (event) => events.push(event) });
  expect(seen.filter(({ method }) => method === 'PUT').map((each) => each.url)).toEqual([
    '/api/v1/sync-runs/run-1/parts/2',
  ]);
  expect(events.find((event) => event.event === 'started')).toMatchObject({ resumed: true, parts: 2, partsWhole: 1 });
  expect(outcome.resumed).toBe(true);
});

test('a busy source is waited for, with the same idempotency key, and a part whose connection is cut is sent again', async () => {
  const { url, seen } = await service((request, count) => {
    if (request.url === '/api/v1/sync-runs' && count === 1)
      return {
        status: 409,
        body: { code: 'sync-run-busy', title: 'Another sync run of this source is under way', detail: 'Wait.' },
        headers: { 'Retry-After': '0' },
      };
    return request.url.endsWith('/parts/2') && count === 1 ? 'cut' : fine(request);
  });
  const events: ImportEvent[] = [];
  await runImport({ client: clientOf(url), ...asked, tell: (event) => events.push(event) });
  const starts = seen.filter((each) => each.url === '/api/v1/sync-runs');
  expect(starts).toHaveLength(2);
  expect(new Set(starts.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  expect(seen.filter((each) => each.url.endsWith('/parts/2')).map(({ body }) => String(body))).toEqual([
    '{"id":"1"}\n',
    '{"id":"1"}\n',
  ]);
  expect(events.filter((event) => event.event === 'waiting')).toHaveLength(2);
});

test('a service that is away from the beginning is told at once', async () => {
  await expect(runImport({ client: clientOf('http://127.0.0.1:1'), ...asked })).rejects.toBeInstanceOf(ConnectionLost);
});

test('a file that changed while it was sent, and one that cannot be read, are named', async () => {
  const refused = (code: string) => (request: Seen) =>
    request.method === 'PUT'
      ? { status: 422, body: { code, title: 'The file cannot be read', detail: 'It is UTF-16.', requestId: 'r' } }
      : fine(request);
  const changed = await service(refused('digest-differs'));
  await expect(runImport({ client: clientOf(changed.url), ...asked })).rejects.toThrow(
    'Task.csv changed while it was being sent',
  );
  const unreadable = await service(refused('unreadable-file'));
  await expect(runImport({ client: clientOf(unreadable.url), ...asked })).rejects.toThrow(
    'Task.csv: The file cannot be read. It is UTF-16.',
  );
});

test('that the listing may not be asked fails no import', async () => {
  const { url } = await service((request) =>
    request.url.startsWith('/api/v1/activities')
      ? { status: 403, body: { code: 'not-permitted', title: 'No', detail: '' } }
      : fine(request),
  );
  expect((await runImport({ client: clientOf(url), ...asked })).visible).toBe(false);
});

test('demo data is sent with the digest that was announced, though it is generated twice', async () => {
  const { url, seen } = await service(fine);
  await loadDemo({ client: clientOf(url), activities: 300, seed: 7 });
  const { parts: announced } = JSON.parse(String(seen[0]?.body)) as { parts: { object: string; digest: string }[] };
  const sent = seen.filter(({ method }) => method === 'PUT');
  expect(sent.map(({ body }) => `sha-256:${createHash('sha256').update(body).digest('hex')}`)).toEqual(
    announced.map(({ digest }) => digest),
  );
  expect(announced.map(({ object }) => object)).toContain('Task');
});
