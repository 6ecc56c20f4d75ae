/**
 * The broker is away: commands go on, what is known is answered, no process is taken for dead, and each that needs the
 * broker says so. When it is back, everything is seen.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from '#shared/testing/kafka/broker.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { createApi } from '../support/api.ts';
import { type ServiceProcess, serviceArguments, startService, stopProcess } from '../support/service-process.ts';

const parts = { ...serviceArguments, applyToo: serviceArguments.apply };
type Part = keyof typeof parts;
/** Longer than a loop may stand still before its process is taken for dead. */
const awayMilliseconds = 35_000;

let broker: Broker;
let database: TestDatabase;
let dataDir: string;
const running = new Map<Part, ServiceProcess>();

function start(part: Part): ServiceProcess {
  const env = { DATABASE_URL: database.url, KAFKA_BROKERS: broker.address, KAFKA_TOPIC: 'cool-mint.away' };
  const started = startService(dataDir, env, parts[part]);
  running.set(part, started);
  return started;
}
const health = async (part: Part, which: 'live' | 'ready') => {
  const { adminUrl } = await (running.get(part) as ServiceProcess).ready;
  const answer = await fetch(`${adminUrl}/health/${which}`);
  return { part, status: answer.status, body: (await answer.json()) as { missing?: string[]; dead?: string[] } };
};
const apiOf = async (part: 'commands' | 'queries') =>
  createApi((await (running.get(part) as ServiceProcess).ready).url, dataDir, {
    tenant: 'acme',
    headers: { Prefer: 'wait=30' },
  });
const select = async (name: string) =>
  (await apiOf('commands')).ok((await apiOf('commands')).post('/selections', { name }), 201);
const seen = async (position: string) => {
  const api = await apiOf('queries');
  const { body } = await api.ok(api.get('/selections', { 'Cool-Mint-Min-Position': position }));
  return (body.data as { name: string }[]).map(({ name }) => name);
};

beforeAll(async () => {
  [broker, database] = await Promise.all([startBroker(), createTestDatabase()]);
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-away-'));
  await start('commands').ready;
  await Promise.all((['queries', 'relay', 'apply', 'applyToo'] as const).map((part) => start(part).ready));
}, 90_000);
afterAll(async () => {
  for (const { child } of running.values()) await stopProcess(child, 'SIGKILL');
  await broker?.[Symbol.asyncDispose]();
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

test('commands go on, nothing is taken for dead, what needs the broker says so, and ends when it is told to', {
  timeout: 180_000,
}, async () => {
  const before = await select('before');
  expect(await seen(before.position as string)).toEqual(['before']);
  broker.pause();
  const during = await select('during');
  const until = performance.now() + awayMilliseconds;
  while (performance.now() < until) {
    for (const part of running.keys()) expect(await health(part, 'live')).toMatchObject({ part, status: 200 });
    await wait(500);
  }
  for (const part of ['commands', 'queries'] as const)
    expect(await health(part, 'ready')).toMatchObject({ part, status: 200 });
  for (const [part, reason] of [
    ['relay', /relay is failing: .*broker/],
    ['apply', /^projection \w+ receives nothing \(Kafka: no broker answers\)$/],
  ] as const) {
    await expect
      .poll(() => health(part, 'ready'), { timeout: 20_000 })
      .toMatchObject({
        part,
        status: 503,
        body: { missing: expect.arrayContaining([expect.stringMatching(reason)]) },
      });
  }
  // Told to end meanwhile, they end by themselves.
  for (const part of ['relay', 'applyToo'] as const) {
    const { child } = running.get(part) as ServiceProcess;
    const started = performance.now();
    expect([part, await stopProcess(child, 'SIGTERM')]).toEqual([part, 0]);
    expect(performance.now() - started).toBeLessThan(15_000);
  }
  broker.resume();
  await Promise.all((['relay', 'applyToo'] as const).map((part) => start(part).ready));
  expect(await seen(during.position as string)).toEqual(expect.arrayContaining(['before', 'during']));
  for (const part of running.keys())
    await expect.poll(() => health(part, 'ready'), { timeout: 30_000 }).toMatchObject({ part, status: 200 });
});

test('a relay that is gone is noticed by those that apply, who are ready again when one sends', {
  timeout: 90_000,
}, async () => {
  await stopProcess((running.get('relay') as ServiceProcess).child, 'SIGKILL');
  const missing = [expect.stringMatching(/^projection catalog receives nothing \(Kafka: .*no relay sends\)$/)];
  for (const part of ['apply', 'applyToo'] as const)
    await expect
      .poll(() => health(part, 'ready'), { timeout: 40_000 })
      .toMatchObject({ part, status: 503, body: { missing: expect.arrayContaining(missing) } });
  expect(await health('apply', 'live')).toMatchObject({ status: 200 });
  await start('relay').ready;
  for (const part of ['apply', 'applyToo'] as const)
    await expect.poll(() => health(part, 'ready'), { timeout: 30_000 }).toMatchObject({ part, status: 200 });
});

test('told to end while it waits for a broker that does not come, a process ends', { timeout: 60_000 }, async () => {
  await stopProcess((running.get('relay') as ServiceProcess).child, 'SIGKILL');
  broker.pause();
  const starting = start('relay');
  await expect.poll(() => starting.lines.join(), { timeout: 20_000 }).toMatch(/the event log is in/);
  const told = performance.now();
  expect(await stopProcess(starting.child, 'SIGTERM')).toBe(0);
  expect(performance.now() - told).toBeLessThan(12_000);
  broker.resume();
});
