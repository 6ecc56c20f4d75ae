import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import { createApp } from '#shared/http/app.ts';
import { type ProblemCode, ProblemError, problemBody, problemKinds, refuse } from '#shared/http/problem.ts';

const logger = pino({ level: 'silent' });
const verifyToken = async (token: string) => {
  if (token !== 'good') throw new Error('it is not good');
  return { tenant: 'acme', actor: 'user-1', name: null, permissions: new Set(['audit:read']) };
};
const newApp = () => createApp({ verifyToken, logger });

describe('closed by default', () => {
  test('a route that names no permission and is not marked public stops the start', async () => {
    const app = newApp();
    app.route({ method: 'GET', url: '/open', handler: async () => 'x' });
    await expect(app.ready()).rejects.toThrow('GET /open');
  });

  test('without a token 401, with a bad one 401, without the permission 403, else the answer', async () => {
    const app = newApp();
    app.route({
      method: 'GET',
      url: '/audit',
      config: { permission: 'audit:read' },
      handler: async (request) => request.caller.tenant,
    });
    app.route({ method: 'GET', url: '/sync', config: { permission: 'sync:read' }, handler: async () => 'x' });
    const status = async (url: string, authorization?: string) =>
      (await app.inject({ url, headers: authorization ? { authorization } : {} })).statusCode;
    expect(await status('/audit')).toBe(401);
    expect(await status('/audit', 'Bearer bad')).toBe(401);
    expect(await status('/audit', 'Basic good')).toBe(401);
    expect(await status('/sync', 'Bearer good')).toBe(403);
    expect(await status('/audit', 'Bearer good')).toBe(200);
  });
});

describe('errors are problems', () => {
  const thrown: Record<string, () => Error> = {
    refusal: () => new ProblemError(refuse('view-behind', 'Wait.', { retryAfter: 3 })),
    log: () => new LogUnavailable('secret connection text'),
    database: () => Object.assign(new Error('secret text'), { code: '57P01' }),
    bug: () => new Error('secret text'),
  };
  const app = newApp();
  app.route({
    method: 'GET',
    url: '/fail',
    config: { public: true },
    schema: { querystring: z.strictObject({ how: z.string() }) },
    handler: async (request) => {
      throw (thrown[request.query.how] as () => Error)();
    },
  });
  const fail = async (how: string) => {
    const response = await app.inject({ url: `/fail?how=${how}` });
    return {
      status: response.statusCode,
      retryAfter: response.headers['retry-after'],
      body: problemBody.parse(response.json()),
      text: response.body,
      id: response.headers['x-request-id'],
    };
  };

  test.each([
    ['refusal', 503, 'view-behind', '3'],
    ['log', 503, 'log-unavailable', '2'],
    ['database', 503, 'database-unavailable', '2'],
    ['bug', 500, 'internal-error', undefined],
  ] as const)('a %s answers %i %s', async (how, status, code, retryAfter) => {
    const answer = await fail(how);
    expect(answer).toMatchObject({ status, retryAfter, body: { code, status, type: `urn:cool-mint:problem:${code}` } });
    expect(answer.body.requestId).toBe(answer.id);
    expect(answer.text).not.toContain('secret');
  });

  test('an unknown parameter is named, an unknown address says so, a wrong method tells which there are', async () => {
    expect((await app.inject({ url: '/fail?how=bug&more=1' })).json()).toMatchObject({
      code: 'malformed-request',
      status: 400,
    });
    expect((await app.inject({ url: '/nothing' })).json()).toMatchObject({ code: 'not-found' });
    const wrong = await app.inject({ method: 'DELETE', url: '/fail' });
    expect(wrong.json()).toMatchObject({ code: 'method-not-allowed' });
    expect(wrong.headers['allow']).toContain('GET');
  });

  test('every code has a status and a title', () => {
    for (const code of Object.keys(problemKinds) as ProblemCode[]) {
      expect(problemKinds[code].status).toBeGreaterThanOrEqual(400);
      expect(problemKinds[code].title).toMatch(/^[A-Z].*[^.]$/);
    }
  });
});
