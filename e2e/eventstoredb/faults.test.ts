/**
 * An import on an EventStoreDB that fails in every way the double knows, at every kind of call, over and over: nothing
 * is lost, nothing is there twice, every call settles, no stream of the connection stays open.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { longTests } from '#shared/testing/config.ts';
import { type FaultPlace, faultKinds } from '#shared/testing/eventstoredb/faults.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import type { Answer, Api } from '../support/api.ts';
import { compareWithOracle } from '../support/compare.ts';
import { csvOf, type ImportFile, sendPart, startRun } from '../support/import-files.ts';
import { ids } from '../support/source-data.ts';
import { type System, startSystem } from '../support/system.ts';

const records = longTests() ? 50_000 : 5_000;
/** Those that strike at any call. */
const kinds = faultKinds.filter((kind) => kind !== 'slow-consumer');
/** Calls of that kind between two faults; there are far more appends than reads, and more reads than subscriptions. */
const spacing: Readonly<Record<FaultPlace, number>> = { append: 40, read: 7, subscribe: 5 };
/** Waits of the service are so many times shorter: five seconds until a call is given up are half a second. */
const hurry = 10;

let double: EventStoreDouble;
let system: System;
let api: Api;

beforeAll(async () => {
  double = await startEventStoreDouble();
  system = await startSystem({
    eventStore: { url: double.url, prefix: '' },
    runtime: { ...systemRuntime, sleep: (ms, signal) => systemRuntime.sleep(ms / hurry, signal) },
  });
  api = await system.api('acme');
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await double?.[Symbol.asyncDispose]();
});

/** As a client does: what was refused with 503, or cut, is sent again. */
async function persist(send: () => Promise<Answer>): Promise<Answer> {
  for (let refused = 0; ; refused++) {
    const answer = await send();
    if (answer.status !== 503 && answer.status !== 409) return api.ok(Promise.resolve(answer));
    expect(refused, `refused ${refused} times: ${JSON.stringify(answer.body)}`).toBeLessThan(100);
    await wait(50);
  }
}

test(`an import of ${records} records while every fault strikes at every kind of call`, {
  timeout: longTests() ? 1_800_000 : 240_000,
}, async () => {
  const rows = Array.from({ length: records }, (_, index) => ({
    Id: ids.task(index),
    Subject: `Call ${index}`,
    Status: 'Completed',
    SystemModstamp: '2026-01-01T00:00:00Z',
  }));
  const file: ImportFile = { object: 'Task', text: csvOf(rows) };
  let asked = 0;
  for (const on of ['append', 'read', 'subscribe'] as const) {
    const rounds = Math.max(1, Math.floor(on === 'append' ? records / (spacing.append * kinds.length) : 1));
    const all = Array.from({ length: rounds }, () =>
      on === 'subscribe' ? [...kinds, 'slow-consumer' as const] : kinds,
    );
    for (const [index, kind] of all.flat().entries())
      double.inject({ on, kind, nth: (index + 1) * spacing[on], durationMs: 150 });
    asked += all.flat().length;
  }

  const started = await persist(() => startRun(api, [file]));
  const run: string = started.body.id;
  await persist(() => sendPart(api, run, 1, file));
  const ended = await persist(() => api.post(`/sync-runs/${run}/complete`));
  expect(ended.body.totals).toMatchObject({ received: records, recorded: records, rejected: 0 });
  // What has not struck yet strikes while single commands go on.
  for (let round = 0; double.waitingFaults() > 0; round++) {
    await persist(() => api.post('/selections', { name: `round ${round}` }, { 'Idempotency-Key': `round-${round}` }));
    await persist(() => api.get('/projections'));
  }
  expect(asked).toBeGreaterThan(3 * kinds.length);

  const stored = double.events().filter(({ stream }) => !stream.startsWith('$'));
  const recorded = stored.filter(({ type }) => type === 'ActivityRecorded');
  expect(recorded).toHaveLength(records);
  expect(new Set(recorded.map(({ stream }) => stream)).size).toBe(records);
  expect(new Set(stored.map(({ id }) => id)).size).toBe(stored.length);
  expect(await compareWithOracle(system)).toEqual([]);
  const listed = await api.ok(api.get('/activities?limit=1'));
  expect(listed.body.total.value).toBe(records);

  // While nothing happens, one stream for appends and the one that wakes are open, and none that a fault left behind.
  await expect
    .poll(() => double.openCalls(), { timeout: 10_000, interval: 5 })
    .toEqual({ 'Streams/BatchAppend': 1, 'Streams/Read': 1 });
  await system.machine.log.close();
  await expect.poll(() => Object.values(double.openCalls()).reduce((sum, open) => sum + open, 0)).toBe(0);
});
