/** The database falls silent under traffic, and another one answers in its place: nobody is taken for dead, and work goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startSilentProxy } from '#shared/testing/silent-proxy.ts';
import { createTestDatabase } from '#shared/testing/test-database.ts';
import { createApi } from './support/api.ts';
import { startService, stopProcess } from './support/service-process.ts';

/** Longer than a loop may stand still before its process is taken for dead. */
const silentMilliseconds = 40_000;

test('a database that says nothing makes a process unready, not dead; one in its place is taken, and it ends when told to', {
  timeout: 180_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.drop());
  const dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-silent-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const { hostname, port } = new URL(database.url);
  const proxy = stack.use(await startSilentProxy(hostname, Number(port)));
  const through = new URL(database.url);
  through.host = `127.0.0.1:${proxy.port}`;
  const { child, ready } = startService(dataDir, { DATABASE_URL: through.href, DEMO: 'off' });
  stack.defer(async () => void (await stopProcess(child, 'SIGKILL')));
  const { url, adminUrl } = await ready;
  const api = await createApi(url, dataDir, { tenant: 'acme', headers: { Prefer: 'wait=30' } });
  const health = async (which: 'live' | 'ready') => {
    const answer = await fetch(`${adminUrl}/health/${which}`);
    return { status: answer.status, body: await answer.json() };
  };
  // What is asked meanwhile is answered, or not; how it went is seen at the end.
  let working = true;
  const recorded: string[] = [];
  const workers = Array.from({ length: 3 }, async (_, worker) => {
    for (let n = 0; working; n++) {
      const name = `${worker} ${n}`;
      const answer = await api.post('/selections', { name }).catch(() => null);
      if (answer?.status === 201) recorded.push(name);
      await wait(20);
    }
  });
  await expect.poll(() => recorded.length).toBeGreaterThan(10);

  proxy.fallSilent();
  const until = performance.now() + silentMilliseconds;
  while (performance.now() < until) {
    expect(await health('live')).toMatchObject({ status: 200 });
    await wait(500);
  }
  expect(await health('ready')).toMatchObject({
    status: 503,
    body: { missing: expect.arrayContaining(['the database does not answer']) },
  });

  proxy.failOver();
  await expect.poll(() => health('ready'), { timeout: 60_000 }).toMatchObject({ status: 200 });
  const before = recorded.length;
  await expect.poll(() => recorded.length, { timeout: 30_000 }).toBeGreaterThan(before + 10);
  working = false;
  await Promise.all(workers);
  const last = await api.ok(api.post('/selections', { name: 'last' }), 201);
  const seen = await api.ok(api.get('/selections?limit=200', { 'Cool-Mint-Min-Position': last.position }));
  expect(seen.body.data).toContainEqual(expect.objectContaining({ name: 'last' }));
  // Sessions that are still silent do not keep it from ending.
  expect(await stopProcess(child, 'SIGTERM')).toBe(0);
});
