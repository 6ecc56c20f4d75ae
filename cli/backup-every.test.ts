import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Pool } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { coolMint, startCoolMint } from '../e2e/support/cool-mint.ts';

let root: string;
let place: string;
let database: TestDatabase;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-backup-every-'));
  place = path.join(root, 'place');
  database = await createTestDatabase();
  return async () => {
    await database.drop();
    await rm(root, { recursive: true, force: true });
  };
});

async function record(stream: string): Promise<void> {
  const pool = new Pool({ connectionString: database.url, application_name: 'test' });
  const log = await postgresEventLog({ pool, directUrl: database.url });
  await log.append([{ stream: `selection-${stream}`, expected: 'none', events: [newEvent('acme')] }]);
  await log.close();
  await pool.end();
}

const environment = () => ({ DATA_DIR: path.join(root, 'data'), DATABASE_URL: database.url, EVENTSTORE_URL: '' });

type Line = Readonly<Record<string, unknown>> & { readonly event?: string; readonly adminUrl: string };
let running: ReturnType<typeof startCoolMint> | undefined;
afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
});

/** Lines as they come, by their event. */
function backUpEvery(time: string, more: Readonly<Record<string, string>> = {}) {
  const env = { ...environment(), ADMIN_PORT: '0', ...more };
  running = startCoolMint(['backup', '--to', place, '--every', time], env);
  const lines: Line[] = [];
  const waiting: (() => void)[] = [];
  createInterface({ input: running.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(JSON.parse(line));
    for (const look of waiting.splice(0)) look();
  });
  return async (event: string, count = 1): Promise<Line> => {
    for (;;) {
      const found = lines.filter((line) => line.event === event)[count - 1];
      if (found) return found;
      await new Promise<void>((resolve) => void waiting.push(resolve));
    }
  };
}

const told = async (adminUrl: string, address: string) => {
  const answer = await fetch(`${adminUrl}${address}`);
  return { status: answer.status, text: await answer.text() };
};
const eventsIn = async () =>
  JSON.parse(await readFile(path.join(place, 'manifest.json'), 'utf8')).manifest.log.events as number;

test('backs up a log in EventStoreDB again and again', { timeout: 60_000 }, async () => {
  await using server = await startEventStoreDouble();
  const log = await eventStoreLog({ url: server.url, prefix: '' });
  const append = (name: string) =>
    log.append([{ stream: `selection-${name}`, expected: 'none', events: [newEvent('acme')] }]);
  await append('one');
  const next = backUpEvery('1s', { EVENTSTORE_URL: server.url });
  expect(await next('backed-up')).toMatchObject({ events: 1 });
  await append('two');
  await log.close();
  await expect.poll(eventsIn, { timeout: 20_000 }).toBe(2);
  running?.child.kill('SIGTERM');
  expect(await running?.ended).toMatchObject({ code: 0, err: '' });
});

test('backs up again and again, tells when it last did, and ends when it is told to', { timeout: 60_000 }, async () => {
  await record('one');
  const next = backUpEvery('1s');
  const { adminUrl } = await next('ready');
  expect(await next('backed-up')).toMatchObject({ events: 1, to: place });
  await record('two');
  await expect.poll(eventsIn, { timeout: 20_000 }).toBe(2);
  const { text } = await told(adminUrl, '/metrics');
  const made = Number(/^cool_mint_backup_timestamp_seconds (\S+)$/m.exec(text)?.[1]);
  expect(Math.abs(Date.now() / 1_000 - made)).toBeLessThan(60);
  expect(text).toMatch(/^cool_mint_backup_interval_seconds 1$/m);
  expect(await told(adminUrl, '/health/ready')).toMatchObject({ status: 200 });
  running?.child.kill('SIGTERM');
  expect(await running?.ended).toMatchObject({ code: 0, err: '' });
});

test('goes on where a backup is refused, says why, and knows of the one that is there', {
  timeout: 60_000,
}, async () => {
  await record('one');
  expect((await coolMint(['backup', '--to', place], environment())).code).toBe(0);
  // It is found damaged from now on; the manifest that says when it was made is whole.
  const [part] = JSON.parse(await readFile(path.join(place, 'manifest.json'), 'utf8')).manifest.log.parts;
  const bytes = await readFile(path.join(place, part.name));
  await rm(path.join(place, part.name));
  const next = backUpEvery('1s');
  const { adminUrl } = await next('ready');
  const before = /^cool_mint_backup_timestamp_seconds (\S+)$/m.exec((await told(adminUrl, '/metrics')).text)?.[1];
  expect(Number(before)).toBeGreaterThan(1_700_000_000);
  expect(await next('failed')).toMatchObject({ msg: expect.stringContaining(`${part.name} is missing`) });
  expect(await told(adminUrl, '/health/ready')).toMatchObject({
    status: 503,
    text: expect.stringContaining('is missing'),
  });
  expect((await told(adminUrl, '/metrics')).text).toMatch(/^cool_mint_backup_failures_total [1-9]/m);
  await writeFile(path.join(place, part.name), bytes);
  await next('backed-up');
  expect((await told(adminUrl, '/health/ready')).status).toBe(200);
});

test('a time that is none is told', async () => {
  await mkdir(place);
  const { code, err } = await coolMint(['backup', '--to', place, '--every', 'often'], environment());
  expect([code, err]).toEqual([1, expect.stringContaining('Expected a number and s, m, h or d')]);
});
