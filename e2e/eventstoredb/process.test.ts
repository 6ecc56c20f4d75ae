/** The service as a process on an EventStoreDB log: killed in the middle of an import, and told to end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { type Answer, type Api, createApi } from '../support/api.ts';
import { differencesFromOracle, oracleOf } from '../support/compare.ts';
import { csvOf, type ImportFile, sendPart, startRun } from '../support/import-files.ts';
import { readModelRows } from '../support/read-model-rows.ts';
import { type ServiceProcess, startService, stopProcess } from '../support/service-process.ts';
import { ids } from '../support/source-data.ts';

const records = 3_000;
const kills = [150, 1_200, 2_400];

let double: EventStoreDouble;
let database: TestDatabase;
let dataDir: string;
let service: ServiceProcess;

const start = () => {
  service = startService(dataDir, { DEMO: 'off', DATABASE_URL: database.url, EVENTSTORE_URL: double.url });
  return service.ready;
};

beforeAll(async () => {
  [double, database] = [await startEventStoreDouble(), await createTestDatabase()];
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-process-'));
});
afterAll(async () => {
  await stopProcess(service.child, 'SIGKILL');
  await database.drop();
  await double[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

/** Sends until it is answered with success, starting the service again where it is gone. */
async function persist(send: (api: Api) => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const { url } = await service.ready;
    const api = await createApi(url, dataDir, { tenant: 'acme' });
    const answer = await send(api).catch(() => null);
    if (answer && answer.status < 300) return answer;
    if (answer && answer.status !== 503 && answer.status !== 409) throw new Error(JSON.stringify(answer.body));
    if (service.child.exitCode !== null || service.child.signalCode !== null) await start();
    else await wait(50);
  }
}

const activities = () => double.events().filter(({ type }) => type === 'ActivityRecorded');

test('killed at several moments of an import: nothing is lost, nothing is there twice', {
  timeout: 120_000,
}, async () => {
  await start();
  const rows = Array.from({ length: records }, (_, index) => ({
    Id: ids.task(index),
    Subject: `Call ${index}`,
    SystemModstamp: '2026-01-01T00:00:00Z',
  }));
  const file: ImportFile = { object: 'Task', text: csvOf(rows) };
  let killed = 0;
  const killing = (async () => {
    for (const at of kills) {
      await expect.poll(() => activities().length, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(at);
      service.child.kill('SIGKILL');
      killed++;
    }
  })();
  const started = await persist((api) => startRun(api, [file]));
  const run: string = started.body.id;
  await persist((api) => sendPart(api, run, 1, file));
  const ended = await persist((api) => api.post(`/sync-runs/${run}/complete`));
  await killing;
  expect(killed).toBe(kills.length);
  expect(ended.body.totals).toMatchObject({ received: records, recorded: records });
  expect(activities()).toHaveLength(records);
  expect(new Set(activities().map(({ stream }) => stream)).size).toBe(records);

  const demand = { 'Cool-Mint-Min-Position': ended.position, Prefer: 'wait=30' };
  const listed = await persist((api) => api.get('/activities?limit=1', demand));
  expect(listed.body.total.value).toBe(records);
  await persist((api) => api.get('/audit?limit=1', demand));
  expect(await stopProcess(service.child)).toBe(0);

  const log = await eventStoreLog({ url: double.url });
  const pool = new Pool({ connectionString: database.url });
  try {
    const { events } = await log.readAll(log.start, 100_000);
    const rest = await log.readAll(events.at(-1)?.position ?? log.start, 100_000);
    const rows = await readModelRows(pool);
    // The operations are told by the log too, but nothing of them was waited for.
    const differences = differencesFromOracle(oracleOf([...events, ...rest.events]), rows);
    expect(differences.filter((text) => !text.startsWith('operations.'))).toEqual([]);
  } finally {
    await pool.end();
    await log.close();
  }
});

test('after faults at appends, reads and subscriptions, nothing holds the process when it is told to end', {
  timeout: 120_000,
}, async () => {
  await start();
  await persist((api) => api.post('/selections', { name: 'before' }));
  const kinds = ['unavailable', 'cut-before', 'cut-after', 'unanswered-after', 'gone-after', 'timeout-after'] as const;
  // A subscription that says nothing is noticed by nothing, and costs nothing: pages are read all the same.
  for (const on of ['append', 'read', 'subscribe'] as const)
    for (const [index, kind] of kinds.entries())
      if (on !== 'subscribe' || kind !== 'unanswered-after')
        double.inject({ on, kind, nth: index * 2 + 1, durationMs: 150 });
  while (double.waitingFaults() > 0)
    await Promise.all(
      Array.from({ length: 4 }, () => persist((api) => api.post('/selections', { name: 'once more' }))),
    );
  expect(await stopProcess(service.child)).toBe(0);
  expect(service.lines.filter((line) => /"lingered"/.test(line))).toEqual([]);
  await expect.poll(() => Object.values(double.openCalls()).reduce((sum, open) => sum + open, 0)).toBe(0);
});

test('told to end while the server is frozen, it ends by itself', { timeout: 60_000 }, async () => {
  await start();
  await persist((api) => api.post('/selections', { name: 'before' }));
  double.freeze();
  expect(await stopProcess(service.child)).toBe(0);
  double.thaw();
  await expect.poll(() => Object.values(double.openCalls()).reduce((sum, open) => sum + open, 0)).toBe(0);
});

test('told to end while the server is away, it ends by itself', { timeout: 30_000 }, async () => {
  await start();
  await double.kill();
  expect(await stopProcess(service.child)).toBe(0);
  await double.restart();
});
