/**
 * The gateway itself: what goes where, how much, and what it tells of whom. The suites of the interface run behind it
 * too (the project `gateway` of vitest.config.ts).
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestOptions, request, type Server } from 'node:http';
import { request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problemKinds } from '#shared/http/problem.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { type Api, apiWithToken, type Json, newKey } from '../support/api.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { expectProblem } from '../support/problem.ts';
import { type System, startSystem } from '../support/system.ts';

async function send(url: string, options: RequestOptions = {}, body?: string | Buffer) {
  const sent = request(url, options).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode as number, headers: response.headers, body: await text(response) };
}

describe('in front of the services', () => {
  let system: System;
  let api: Api;
  beforeAll(async () => {
    system = await startSystem();
    api = await system.api({ tenant: 'acme', actor: 'ada' });
  }, 60_000);
  afterAll(() => system?.[Symbol.asyncDispose]());

  test('a command and the query for it are one interface, with one description', async () => {
    const { body, position } = await api.ok(api.post('/selections', { name: 'One origin' }), 201);
    const seen = await api.ok(api.get(`/selections/${body.id}`, { 'Cool-Mint-Min-Position': position }));
    expect(seen.body.name).toBe('One origin');
    const { paths } = (await api.ok(api.get('/api/openapi.json'))).body;
    expect(Object.keys(paths['/api/v1/selections']).sort()).toEqual(['get', 'post']);
    const home = await send(`${system.machine.url}/`);
    // Relative: it does not know under which name and port it is reached.
    expect([home.status, home.headers.location]).toEqual([302, '/api/docs']);
    expect((await send(`${system.machine.url}/api/docs/`)).body).toContain('swagger');
    const shown = JSON.parse((await send(`${system.machine.url}/api/docs/json`)).body);
    expect(shown.paths).toEqual(paths);
  });

  test('health and metrics are not to be had, nor anything else that is no interface', async () => {
    const paths = ['/metrics', '/health/live', '/health/ready', '/api/../metrics', '/other', '/gateway/connections'];
    for (const path of paths) {
      const sent = await send(`${system.machine.url}${path}`);
      expect([path, sent.status, JSON.parse(sent.body).code]).toEqual([path, 404, 'not-found']);
    }
  });

  test('the audit trail names the address that connected, whatever the caller says of itself', async () => {
    const made = await send(
      `${system.machine.url}/api/v1/selections`,
      {
        method: 'POST',
        localAddress: '127.0.0.9',
        headers: {
          Authorization: `Bearer ${api.token}`,
          'Content-Type': 'application/json',
          'X-Forwarded-For': '203.0.113.7',
          Forwarded: 'for=203.0.113.7',
          'X-Real-IP': '203.0.113.7',
        },
      },
      JSON.stringify({ name: 'From afar' }),
    );
    const id = JSON.parse(made.body).id;
    await system.settle();
    const { body } = await api.ok(api.get(`/audit?entity=selection-${id}`));
    expect(body.data.map((entry: Json) => entry.from.address)).toEqual(['127.0.0.9']);
  });

  test('a body that is too large is refused as the service refuses it', async () => {
    const large = JSON.stringify({ name: 'x'.repeat(3_000_000) });
    const answer = await api.call('POST', '/selections', undefined, {
      raw: large,
      headers: { 'Content-Type': 'application/json', ...newKey() },
    });
    expectProblem(answer, 413, 'too-large');
    expect(answer.body.title).toBe(problemKinds['too-large'].title);
    // Just as much as the service takes is let through to it, and refused there for what it says.
    const fits = JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024 - 11) });
    const told = await api.call('POST', '/selections', undefined, {
      raw: fits,
      headers: { 'Content-Type': 'application/json', ...newKey() },
    });
    expect(fits).toHaveLength(2 * 1024 * 1024);
    expectProblem(told, 422, 'invalid-content');
    const more = await api.call('POST', '/selections', undefined, {
      raw: `${fits} `,
      headers: { 'Content-Type': 'application/json', ...newKey() },
    });
    expectProblem(more, 413, 'too-large');
  });

  test('who has no token is refused before his body is taken', async () => {
    const sent = request(`${system.machine.url}/api/v1/selections`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': 2 * 1024 * 1024 },
    });
    sent.on('error', () => undefined);
    sent.write('{"name":"');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect([response.statusCode, JSON.parse(await text(response)).code]).toEqual([401, 'not-authenticated']);
    sent.destroy();
  });

  test('a token as long as the service reads passes', async () => {
    const answer = await apiWithToken(system.machine.url, 'x'.repeat(8_192), 'acme', 'ada').get('/selections');
    expectProblem(answer, 401, 'not-authenticated');
  });
});

/** A service that answers what a test says, to see what passes through and when. */
describe('between a caller and a service', () => {
  let service: Server;
  let gateway: Gateway;
  let handle: (request: IncomingMessage, response: import('node:http').ServerResponse) => void;
  const host = () => `127.0.0.1:${(service.address() as AddressInfo).port}`;
  beforeAll(async () => {
    service = createServer((incoming, response) => handle(incoming, response)).listen(0, '127.0.0.1');
    await once(service, 'listening');
    gateway = await startGateway({ commands: host(), queries: host(), generous: true });
  });
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    service.closeAllConnections();
    service.close();
  });

  test('the first bytes of an import are there before its last ones are sent', async () => {
    const arrived = new Promise<string>((resolve) => {
      handle = (incoming, response) => {
        incoming.once('data', (bytes: Buffer) => resolve(bytes.toString()));
        incoming.once('end', () => response.end('whole'));
      };
    });
    const sent = request(`${gateway.url}/api/v1/sync-runs/1/parts/1`, { method: 'PUT' });
    sent.write('first');
    expect(await arrived).toBe('first');
    sent.end('last');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(await text(response)).toBe('whole');
  });

  test('the first bytes of an export are there before its last ones are made', async () => {
    let end = () => {};
    handle = (incoming, response) => {
      incoming.resume();
      response.write('first');
      end = () => void response.end('last');
    };
    for (const [method, path] of [
      ['GET', '/api/v1/audit/export'],
      ['POST', '/api/v1/selections/1/exports'],
    ] as const) {
      const sent = request(`${gateway.url}${path}`, { method }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const [bytes] = (await once(response, 'data')) as [Buffer];
      expect(bytes.toString()).toBe('first');
      end();
      await once(response, 'end');
    }
  });

  test('addresses, queries and headers pass as they are, and strong tags stay strong', async () => {
    let seen: IncomingMessage | undefined;
    handle = (incoming, response) => {
      seen = incoming;
      response.writeHead(200, { ETag: '"7"', 'Content-Type': 'application/json', 'X-Request-Id': 'of-the-service' });
      response.end(JSON.stringify({ text: 'x'.repeat(5_000) }));
    };
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const path = '/api/v1/activities?text=a%2Fb%20c&occurredAt[gte]=2026-01-01T00:00:00Z';
    const answer = await send(`${gateway.url}${path}`, {
      headers: {
        traceparent,
        'Accept-Encoding': 'gzip',
        'If-Match': '"6"',
        'Cool-Mint-Min-Position': '1, 2',
        Prefer: 'wait=3',
        Host: 'mint.example',
      },
    });
    expect(answer.headers).toMatchObject({ etag: '"7"', 'x-request-id': 'of-the-service' });
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(seen?.url).toBe(path);
    expect(seen?.headers).toMatchObject({
      traceparent,
      'if-match': '"6"',
      'cool-mint-min-position': '1, 2',
      prefer: 'wait=3',
      host: 'mint.example',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    // Its log tells the request by the service's id and by its trace, and nothing that was asked for.
    await expect.poll(() => gateway.log()).toContain('of-the-service');
    const line = (await gateway.log()).trim().split('\n').at(-1) as string;
    expect(JSON.parse(line)).toMatchObject({ method: 'GET', path: '/api/v1/activities', status: 200, traceparent });
    expect(line).not.toContain('occurredAt');
  });

  test('who asks too much at once is told so as a problem, and others are not', async () => {
    handle = (incoming, response) => {
      incoming.resume();
      response.end('{}');
    };
    await using strict = await startGateway({ commands: host(), queries: host() });
    const answers = await Promise.all(Array.from({ length: 500 }, () => send(`${strict.url}/api/v1/activities`)));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(500);
    for (const { status, headers, body } of refused) {
      expect([status, headers['retry-after'], headers['content-type']]).toEqual([429, '1', 'application/problem+json']);
      expect(JSON.parse(body)).toMatchObject({ code: 'too-many-requests', requestId: headers['x-request-id'] });
    }
    expect((await send(`${strict.url}/api/v1/activities`, { localAddress: '127.0.0.9' })).status).toBe(200);
  });

  test('a service that is away is a problem that says what to do, and a command is not sent twice', async () => {
    let asked = 0;
    handle = (incoming) => {
      asked++;
      incoming.socket.destroy();
    };
    const told = await send(`${gateway.url}/api/v1/selections`, { method: 'POST' }, '{}');
    expect([told.status, told.headers['retry-after'], asked]).toEqual([503, '2', 1]);
    expect(JSON.parse(told.body)).toMatchObject({
      code: 'service-unavailable',
      status: 503,
      requestId: told.headers['x-request-id'],
    });
  });

  test('its logs have neither the address of a caller, nor ids, nor what was asked for', async () => {
    handle = (incoming, response) => {
      incoming.resume();
      if (incoming.url?.includes('away')) incoming.socket.destroy();
      else response.end('{}');
    };
    await using strict = await startGateway({ commands: host(), queries: host() });
    const from = { localAddress: '127.0.0.9', headers: { 'X-Forwarded-For': '203.0.113.7' } };
    for (const path of ['/activities/secret-id/history?text=Ada', '/selections/away', '/selections'])
      await send(`${strict.url}/api/v1${path}`, from);
    await send(`${strict.url}/secret-id`, from);
    const answers = await Promise.all(
      Array.from({ length: 400 }, () => send(`${strict.url}/api/v1/activities/secret-id?text=Ada`, from)),
    );
    expect(answers.some(({ status }) => status === 429)).toBe(true);
    await expect.poll(async () => (await strict.log()).trim().split('\n').length).toBeGreaterThanOrEqual(404);
    const lines = (await strict.log()).trim().split('\n');
    expect(lines.slice(-404, -401).map((line) => JSON.parse(line).path)).toEqual([
      '/api/v1/activities/...',
      '/api/v1/selections/...',
      '/api/v1/selections',
    ]);
    for (const text of [await strict.log(), await strict.errors()])
      expect(text).not.toMatch(/127\.0\.0\.9|203\.0\.113\.7|secret-id|Ada/);
  });

  test('a request that nginx itself refuses is answered with a problem, too', async () => {
    const asked = (options: RequestOptions, path = '/api/v1/activities') => send(`${gateway.url}${path}`, options);
    const long = 'x'.repeat(20_000);
    for (const [about, answer, code] of [
      ['a long header', await asked({ headers: { 'X-Long': long } }), 'too-large'],
      ['a long address', await asked({}, `/api/v1/activities?text=${long}`), 'too-large'],
      ['a method that is not taken', await asked({ method: 'TRACE' }), 'method-not-allowed'],
      ['another header of hosts', await asked({ headers: { Host: 'no host/' } }), 'malformed-request'],
      ['a coding', await asked({ method: 'POST', headers: { 'Transfer-Encoding': 'gzip' } }), 'malformed-request'],
    ] as const) {
      const { status, title } = problemKinds[code];
      expect([about, answer.status, answer.headers['content-type']]).toEqual([
        about,
        status,
        'application/problem+json',
      ]);
      expect(JSON.parse(answer.body), about).toEqual({
        type: `urn:cool-mint:problem:${code}`,
        code,
        title,
        status,
        detail: expect.stringMatching(/\S/),
        requestId: answer.headers['x-request-id'],
      });
    }
    // Not to be had by name.
    expect((await asked({}, '/gateway/problems/broken')).status).toBe(404);
  });

  test('with the files that Kubernetes has of its own it serves just so, and believes nobody', async () => {
    handle = (incoming, response) => response.end(`${incoming.method} ${incoming.headers['x-forwarded-for']}`);
    await using other = await startGateway({ commands: host(), queries: host(), inKubernetes: true });
    for (const told of ['203.0.113.7', '203.0.113.7, 10.0.0.1', '10.0.0.1'])
      expect((await send(`${other.url}/api/v1/activities`, { headers: { 'X-Forwarded-For': told } })).body).toBe(
        'GET 127.0.0.1',
      );
  });

  test('with those of the overlay it believes the Ingress controller, of what it says the last only, and nobody else', async () => {
    handle = (incoming, response) => response.end(incoming.headers['x-forwarded-for']);
    await using other = await startGateway({ commands: host(), queries: host(), inKubernetes: 'behind an Ingress' });
    const told = async (localAddress: string, forwarded: string) =>
      (await send(`${other.url}/api/v1/activities`, { localAddress, headers: { 'X-Forwarded-For': forwarded } })).body;
    expect(await told('127.0.0.1', '203.0.113.7')).toBe('203.0.113.7');
    expect(await told('127.0.0.1', '198.51.100.1, 203.0.113.7')).toBe('203.0.113.7');
    expect(await told('127.0.0.1', '198.51.100.1, 127.0.0.1')).toBe('127.0.0.1');
    expect(await told('127.0.0.9', '203.0.113.7')).toBe('127.0.0.9');
  });

  test('with TLS: what comes without it is led there, and what is answered says to come so again', async () => {
    handle = (incoming, response) => response.end(String(incoming.headers['x-forwarded-proto']));
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 });
    const port = await freePort();
    await using secure = await startGateway({
      commands: host(),
      queries: host(),
      generous: true,
      tls: { port, cert, key },
    });
    const led = await send(`${secure.url}/api/v1/activities?limit=1`, {
      method: 'POST',
      headers: { Host: 'mint.example' },
    });
    expect([led.status, led.headers.location]).toEqual([308, 'https://mint.example/api/v1/activities?limit=1']);
    const asked = async (path: string, method = 'GET') => {
      const sent = requestTls(`https://localhost:${port}${path}`, { method, ca: cert, family: 4 }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return { status: response.statusCode, body: await text(response), headers: response.headers };
    };
    expect((await asked('/api/v1/activities')).body).toBe('https');
    // Its own errors say it, too.
    for (const [path, method, status] of [
      ['/api/v1/activities', 'GET', 200],
      ['/', 'GET', 302],
      ['/other', 'GET', 404],
      ['/api/v1/activities', 'TRACE', 405],
    ] as const) {
      const answer = await asked(path, method);
      expect([answer.status, answer.headers['strict-transport-security']]).toEqual([status, 'max-age=31536000']);
    }
    expect(led.headers).not.toHaveProperty('strict-transport-security');
  });

  test('who is beside it has the interface without TLS, and how busy it is', async () => {
    handle = (incoming, response) => response.end(incoming.method);
    expect((await send(`${gateway.insideUrl}/api/v1/activities`)).body).toBe('GET');
    const { status, body } = await send(`${gateway.insideUrl}/gateway/connections`);
    expect([status, body]).toEqual([200, expect.stringMatching(/^Active connections: \d+/)]);
    expect((await send(`${gateway.insideUrl}/metrics`)).status).toBe(404);
  });

  test('its own health does not ask the services', async () => {
    handle = () => {
      throw new Error('asked');
    };
    expect((await send(`${gateway.url}/gateway/health`)).status).toBe(204);
  });
});
