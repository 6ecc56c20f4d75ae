/** What the loss of connections must not do to the process, each time with a fault of the client behind it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { type EventLog, LogUnavailable } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';

/** Time goes so many times faster for the log. */
const hurry = 10;
const began = Date.now();
const runtime: Runtime = {
  now: () => new Date(began + (Date.now() - began) * hurry),
  sleep: (milliseconds, signal) => systemRuntime.sleep(milliseconds / hurry, signal),
  random: Math.random,
};

let double: EventStoreDouble;
let log: EventLog;

beforeEach(async () => {
  double = await startEventStoreDouble();
  log = await eventStoreLog({ url: double.url, runtime });
});
afterEach(async () => {
  await log.close();
  await double[Symbol.asyncDispose]();
});

const append = (data?: unknown) =>
  log.append([{ stream: `selection-${randomUUID()}`, expected: 'none', events: [newEvent('acme', data)] }]);
const stored = () => double.events().filter(({ stream }) => stream.startsWith('selection-'));
const open = () => Object.values(double.openCalls()).reduce((sum, calls) => sum + calls, 0);

test('a server that dies with more under way than the connection takes: each append is stored once', async () => {
  // At its real pace: what is sent again takes its time.
  await log.close();
  log = await eventStoreLog({ url: double.url });
  await append();
  double.freeze();
  const appends = Array.from({ length: 400 }, () => append({ text: 'x'.repeat(100_000) }));
  await expect.poll(() => double.openCalls()).toMatchObject({ 'Streams/BatchAppend': 1 });
  await double.kill();
  await double.restart();
  const results = await Promise.all(appends);
  expect(results.flat().every(({ outcome }) => outcome === 'appended')).toBe(true);
  expect(stored()).toHaveLength(401);
  expect(new Set(stored().map(({ id }) => id)).size).toBe(401);
});

test('reads that fail again and again leave no stream of appends open', async () => {
  for (let round = 0; round < 8; round++) {
    await append();
    double.inject({ on: 'read', nth: 1, kind: 'unavailable' });
    await log.head();
  }
  await append();
  await expect.poll(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1 });
});

test('reads that are given up do not use up the streams of the connection', async () => {
  await append();
  for (let round = 0; round < 5; round++) {
    for (let nth = 1; nth <= 25; nth++) double.inject({ on: 'read', nth, kind: 'unanswered-after' });
    const heads = await Promise.all(Array.from({ length: 25 }, () => log.head()));
    expect(new Set(heads).size).toBe(1);
  }
  expect(double.waitingFaults()).toBe(0);
  await expect.poll(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1 });
}, 60_000);

test('pages that are cut for their size do not either', async () => {
  const start = await log.head();
  for (let count = 0; count < 40; count++) await append({ text: 'x'.repeat(500_000) });
  for (let round = 0; round < 10; round++) {
    let seen = 0;
    for (let after = start, end = false; !end; ) {
      const page = await log.readAll(after, 1_000 + round);
      expect(page.events.length).toBeLessThan(12);
      seen += page.events.length;
      ({ position: after, end } = page);
    }
    expect(seen).toBe(40);
  }
  await expect.poll(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1 });
}, 60_000);

test('a server that stays away: each call ends by itself, and says that the outcome is unknown', async () => {
  await append();
  await double.kill();
  const many = Array.from({ length: 500 }, (_, index) => `selection-${index}`);
  const calls = [append(), log.readLast('acme', many), log.readLast('acme', many), log.readAt(log.start), log.head()];
  const gaveUpAt = performance.now();
  for (const outcome of await Promise.allSettled(calls))
    expect(outcome).toEqual({ status: 'rejected', reason: expect.any(LogUnavailable) });
  // All have the same patience, those that waited for their turn too: 15 seconds, ten times faster.
  expect(performance.now() - gaveUpAt).toBeLessThan(4_000);
  await double.restart();
  await append();
}, 60_000);

test('closing ends what is under way, and leaves nothing open', async () => {
  await append();
  double.freeze();
  const calls = Promise.allSettled([append(), log.head(), log.readLast('acme', ['selection-x'])]);
  await log.close();
  for (const outcome of await calls) expect(outcome.status).toBe('rejected');
  double.thaw();
  await expect.poll(open).toBe(0);
});

test('an event of others that is nested deeper than a stack stops nobody', async () => {
  await log.close();
  log = await eventStoreLog({ url: double.url, prefix: 'late.', runtime });
  await log.close();
  const client = EventStoreDBClient.connectionString(double.url);
  const metadata = new Uint8Array(Buffer.from(`${'['.repeat(20_000)}${']'.repeat(20_000)}`));
  await client.appendToStream('late.selection-deep', jsonEvent({ type: 'Deep', data: {}, metadata }));
  await client.dispose();
  log = await eventStoreLog({ url: double.url, prefix: 'late.', runtime });
  await append();
  const page = await log.readAll(log.start, 100);
  expect(page).toMatchObject({ events: [{ type: 'SelectionRenamed' }], end: true });
});

test('an event of others that fills a page of its own is got past', async () => {
  const start = await log.head();
  await log.close();
  const client = EventStoreDBClient.connectionString(double.url);
  // Small as it is sent, large in memory.
  const data = Array.from({ length: 420_000 }, () => 1);
  await client.appendToStream('other-large', jsonEvent({ type: 'Large', data }));
  await client.appendToStream('other-large', jsonEvent({ type: 'Large', data }));
  await client.dispose();
  log = await eventStoreLog({ url: double.url, runtime });
  await append();
  let pages = 0;
  const types: string[] = [];
  for (let after = start, end = false; !end; pages++) {
    const page = await log.readAll(after, 100);
    types.push(...page.events.map(({ type }) => type));
    expect(page.end || page.position > after).toBe(true);
    ({ position: after, end } = page);
  }
  expect(types).toEqual(['SelectionRenamed']);
  expect(pages).toBeGreaterThan(1);
});

test('what others wrote before the first of ours is not read', async () => {
  await log.close();
  const client = EventStoreDBClient.connectionString(double.url);
  const others = Array.from({ length: 500 }, () => jsonEvent({ type: 'Other', data: {} }));
  for (let round = 0; round < 4; round++) await client.appendToStream('other-many', others);
  await client.dispose();
  log = await eventStoreLog({ url: double.url, prefix: 'late.', runtime });
  expect(await log.readAll(log.start, 10)).toMatchObject({ events: [], end: true });
});

describe('a cluster, whose leader is looked for', () => {
  const discover = () => `esdb+discover://127.0.0.1:${double.port}?tls=false&maxDiscoverAttempts=2`;
  beforeEach(async () => {
    await log.close();
    log = await eventStoreLog({ url: discover(), runtime });
  });

  test('every fault there is: each append is stored once, and the process lives', async () => {
    const kinds = ['unavailable', 'not-leader', 'not-ready', 'gone-after', 'cut-after', 'timeout-after'] as const;
    let asked = 0;
    for (const kind of kinds) {
      for (const on of ['append', 'read', 'subscribe'] as const) double.inject({ on, nth: 2, kind, durationMs: 200 });
      const stop = new AbortController();
      const reading = (async () => {
        for await (const message of log.subscribe(log.start, stop.signal)) void message;
      })();
      await Promise.all(Array.from({ length: 20 }, () => Promise.all([append(), log.head()])));
      asked += 20;
      stop.abort();
      await reading;
    }
    expect(stored()).toHaveLength(asked);
    expect(new Set(stored().map(({ id }) => id)).size).toBe(asked);
  }, 60_000);

  test('closed while it is looked for, nothing is written afterwards, and nothing stays open', async () => {
    await append();
    await double.kill();
    const late = append();
    late.catch(() => undefined);
    await log.close();
    await double.restart();
    await expect(late).rejects.toBeInstanceOf(LogUnavailable);
    // Whatever still looks for the cluster finds it now; then one more client has had its turn.
    log = await eventStoreLog({ url: discover(), runtime });
    await append();
    expect(stored()).toHaveLength(2);
    await expect.poll(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1 });
  }, 30_000);
});

test('a reader at the end is woken by another process, by its subscription alone', async () => {
  const sleepless: Runtime = { ...systemRuntime, sleep: (_, signal) => untilAborted(signal) };
  await log.close();
  log = await eventStoreLog({ url: double.url, runtime: sleepless });
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const message of log.subscribe(await log.head(), stop.signal)) {
    if (message.kind === 'events') seen.push(...message.events.map(({ type }) => type));
    if (seen.length === 3) break;
    if (message.kind === 'caught-up') await appendElsewhere(`selection-${seen.length}`);
  }
  expect(seen).toEqual(['SelectionRenamed', 'SelectionRenamed', 'SelectionRenamed']);
});

const untilAborted = (signal: AbortSignal | undefined) =>
  new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));

/** One event of ours, appended by a process of its own. */
async function appendElsewhere(stream: string): Promise<void> {
  const { id, type, data, metadata } = newEvent('acme');
  const event = JSON.stringify({ id, type, data, metadata });
  const script = `
    import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
    const client = EventStoreDBClient.connectionString(${JSON.stringify(double.url)});
    await client.appendToStream(${JSON.stringify(stream)}, jsonEvent(${event}));
    await client.dispose();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  expect(await once(child, 'exit')).toEqual([0, null]);
}
