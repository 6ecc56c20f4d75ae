import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { ApiProblem, CliError, ConnectionLost } from '#cli/cli-error.ts';
import { createClient } from '#cli/client.ts';
import { keepTrying } from '#cli/retry.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const clientOf = (url: string, signal?: AbortSignal) =>
  createClient({
    url,
    token: async () => 'secret',
    whenAway: 'Start it.',
    userAgent: 'test',
    ...(signal ? { signal } : {}),
  });

const problem = (status: number, code: string, more: object = {}) => ({
  status,
  body: JSON.stringify({
    type: `urn:cool-mint:problem:${code}`,
    code,
    title: 'It is so',
    status,
    detail: 'Do that.',
    requestId: 'r-1',
    ...more,
  }),
});

/** An address at which nobody listens. */
async function awayUrl(): Promise<string> {
  const url = await serve(() => undefined);
  for (const stop of stops.splice(0)) stop();
  return url;
}

async function* pieces(count: number, size: number, onPull: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    onPull();
    yield Buffer.alloc(size, 'a');
  }
}

const megabytes = (count: number, onPull?: () => void) => pieces(count, 1024 * 1024, onPull);

const upload = (body: AsyncIterable<Uint8Array>) => ({
  query: new URLSearchParams(),
  headers: { 'Content-Type': 'text/csv' },
  body,
});

const failure = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it went well')),
    (error: Error) => error,
  );

test('a problem is told with its title, what to do, the fields and the request id', async () => {
  const url = await serve((_request, response) => {
    const { status, body } = problem(422, 'invalid-content', {
      errors: [{ field: 'body.name', message: 'is missing' }],
    });
    response.writeHead(status, { 'Content-Type': 'application/problem+json' }).end(body);
  });
  const error = await failure(clientOf(url).call('/api/v1/selections', { method: 'POST', body: {} }));
  expect(error).toBeInstanceOf(ApiProblem);
  expect(error.message).toBe('It is so. Do that.\n  body.name: is missing; invalid-content, HTTP 422, request id r-1');
});

test('a service that does not answer is told with how to start it', async () => {
  const url = await awayUrl();
  const error = await failure(clientOf(url).call('/api/v1/projections'));
  expect(error).toBeInstanceOf(ConnectionLost);
  expect(error.message).toBe(`${url} does not answer (ECONNREFUSED). Start it.`);
});

test('an answer of something that is not Cool Mint is told as that', async () => {
  const url = await serve((_request, response) => response.writeHead(200).end('<html>'));
  const error = await failure(clientOf(url).call('/api/v1/projections'));
  expect(error.message).toContain('but not as Cool Mint does');
});

test('commands carry an idempotency key, queries the position they demand', async () => {
  const seen: (string | undefined)[][] = [];
  const url = await serve((request, response) => {
    seen.push([
      request.headers['idempotency-key'] as string,
      request.headers['cool-mint-min-position'] as string,
      request.headers.prefer as string,
    ]);
    response.setHeader('Cool-Mint-Position', 'p2').end('{}');
  });
  const client = clientOf(url);
  const answer = await client.call('/a', { method: 'POST', body: {}, idempotencyKey: 'k' });
  await client.call('/b', { minPosition: 'p1', waitSeconds: 7 });
  expect(answer.position).toBe('p2');
  expect(seen).toEqual([
    ['k', undefined, undefined],
    [undefined, 'p1', 'wait=7'],
  ]);
});

/** A service with an event loop of its own: it refuses while we are sending, and hangs up. */
async function hangUpService(): Promise<string> {
  const code = `
    const { createServer } = require('node:http');
    const { parentPort } = require('node:worker_threads');
    const body = JSON.stringify({ code: 'sync-run-ended', title: 'It is so', detail: 'Do that.' });
    const server = createServer((request, response) => request.once('data', () => {
      response.writeHead(409, { Connection: 'close' }).end(body);
      request.pause();
    }));
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;
  const worker = new Worker(code, { eval: true });
  stops.push(() => void worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  return `http://127.0.0.1:${port}`;
}

// A service that hangs up can take its own answer with it (TCP resets what was not read): then the next try has it.
test('a refusal that comes before all was sent is told, and the rest is not sent', async () => {
  const client = clientOf(await hangUpService());
  let pulled = 0;
  const send = () => {
    pulled = 0;
    return client.upload('/part', upload(pieces(20_000, 64 * 1024, () => pulled++)));
  };
  const error = await failure(keepTrying(send, { seconds: 20, connection: true }));
  expect(error).toBeInstanceOf(ApiProblem);
  expect((error as ApiProblem).problem.code).toBe('sync-run-ended');
  expect(pulled).toBeLessThan(2_000);
});

test('a body is read no faster than the service takes it', async () => {
  let pulled = 0;
  let atPause = Number.NaN;
  const url = await serve(async (request, response) => {
    // Waits until the sender stands still, then takes the rest.
    for (let before = -1; before !== pulled; ) {
      before = pulled;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    atPause = pulled;
    let size = 0;
    for await (const chunk of request) size += (chunk as Buffer).length;
    response.end(JSON.stringify({ size }));
  });
  const answer = await clientOf(url).upload<{ size: number }>('/part', upload(megabytes(64, () => pulled++)));
  expect(atPause).toBeLessThan(32);
  expect(answer.body.size).toBe(64 * 1024 * 1024);
});

test('a connection that is cut while sending is told as lost', async () => {
  const url = await serve((request) => request.once('data', () => request.socket.destroy()));
  expect(await failure(clientOf(url).upload('/part', upload(megabytes(100))))).toBeInstanceOf(ConnectionLost);
});

test('a file that cannot be read to its end is told as that, not as a lost connection', async () => {
  const url = await serve((request) => request.resume());
  const broken = (async function* () {
    yield Buffer.from('a');
    throw new Error('EIO: input/output error');
  })();
  const error = await failure(clientOf(url).upload('/part', upload(broken)));
  expect(error).not.toBeInstanceOf(ConnectionLost);
  expect(error.message).toBe('The file could not be read to its end: EIO: input/output error');
});

test('stopping ends what is under way with the reason of the signal', async () => {
  const stop = new AbortController();
  const url = await serve(() => stop.abort(new CliError('Asked to stop.')));
  expect((await failure(clientOf(url, stop.signal).call('/a'))).message).toBe('Asked to stop.');
});

test('a busy service is tried again as it says, until it takes the request', async () => {
  let asked = 0;
  const url = await serve((_request, response) => {
    const { status, body } =
      ++asked < 3 ? problem(503, 'database-unavailable') : { status: 200, body: '{"fine":true}' };
    response.writeHead(status, { 'Retry-After': '0' }).end(body);
  });
  const waits: string[] = [];
  const answer = await keepTrying(() => clientOf(url).call('/a'), {
    seconds: 5,
    connection: false,
    onWait: (reason) => waits.push(reason),
  });
  expect(answer.body).toEqual({ fine: true });
  expect(waits).toEqual(['It is so', 'It is so']);
});

test('patience ends, and other refusals are not repeated at all', async () => {
  let asked = 0;
  const url = await serve((_request, response) => {
    asked++;
    const { status, body } = problem(409, asked === 1 ? 'sync-run-ended' : 'sync-run-busy');
    response.writeHead(status, { 'Retry-After': '0.1' }).end(body);
  });
  await failure(keepTrying(() => clientOf(url).call('/a'), { seconds: 0.25, connection: true }));
  expect(asked).toBe(1);
  const error = await failure(keepTrying(() => clientOf(url).call('/a'), { seconds: 0.25, connection: true }));
  expect((error as ApiProblem).problem.code).toBe('sync-run-busy');
  expect(asked).toBe(4);
});

test('a service that is away is waited for only where that was asked for', async () => {
  const url = await awayUrl();
  let attempts = 0;
  const work = () => {
    attempts++;
    return clientOf(url).call('/a');
  };
  await failure(keepTrying(work, { seconds: 0.5, connection: false }));
  expect(attempts).toBe(1);
  await failure(keepTrying(work, { seconds: 0.5, connection: true }));
  expect(attempts).toBe(3);
});
