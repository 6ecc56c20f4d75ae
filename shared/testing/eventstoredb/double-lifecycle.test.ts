/** The double as a process: it dies and comes back, stops and goes on, and leaves nothing behind. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { EventStoreDBClient } from '@eventstore/db-client';
import { expect, test } from 'vitest';
import {
  anEvent,
  append,
  doubleAndClient,
  events,
  eventually,
  failureOf,
  idsOf,
  isOpen,
  persistently,
  storedIds,
} from './double-and-client.ts';

test('killed: calls fail, nobody listens; restarted: the data is there, and the client comes back by itself', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(3), { expectedRevision: 'no_stream' });
  const before = double.events();
  const { port } = double;
  await double.kill();
  expect(await failureOf(client.appendToStream('a', anEvent(), { expectedRevision: 2n }))).toMatchObject({ code: 14 });
  const socket = connect(port, '127.0.0.1');
  const [refused] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(refused.code).toBe('ECONNREFUSED');

  await double.restart();
  expect(double.port).toBe(port);
  expect(double.events()).toEqual(before);
  const next = await persistently(() => client.appendToStream('a', anEvent(), { expectedRevision: 2n }));
  expect(next.nextExpectedRevision).toBe(3n);
  // A start is a record of its own in the log: positions go up, and have gaps.
  expect(next.position!.commit).toBeGreaterThan(before.at(-1)!.position + 200n);
});

test('what arrived together with the fatal call is not served any more', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', anEvent());
  double.inject({ on: 'append', nth: 10, kind: 'gone-before', durationMs: 50 });
  const calls = Array.from({ length: 50 }, (_, index) => client.appendToStream(`b${index}`, anEvent()));
  const settled = await Promise.allSettled(calls);
  expect(settled.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(41);
  expect(storedIds(double)).toHaveLength(10);
});

test('killing twice and restarting twice is killing and restarting once', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await Promise.all([double.kill(), double.kill()]);
  await Promise.all([double.restart(), double.restart()]);
  await persistently(() => client.appendToStream('a', anEvent()));
  expect(storedIds(double)).toHaveLength(1);
});

test('a repetition with "any" is recognised until the server restarts; one with an exact expectation always', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  const loose = { stream: 'loose', id: randomUUID(), expectedRevision: 'any' } as const;
  const exact = { stream: 'exact', id: randomUUID(), expectedRevision: 'no_stream' } as const;
  const first = [await append(client, loose), await append(client, exact)];
  expect([await append(client, loose), await append(client, exact)]).toEqual(first);

  await double.kill();
  await double.restart();
  expect(await persistently(() => append(client, exact))).toEqual(first[1]);
  expect(await append(client, loose)).toMatchObject({ nextExpectedRevision: 1n });
  expect(await idsOf(client, 'loose')).toEqual([loose.id, loose.id]);
  expect(await idsOf(client, 'exact')).toEqual([exact.id]);
});

test('a repetition with "any" writes duplicates once enough other events came between', async () => {
  await using both = await doubleAndClient({ recentIdBytes: 500 });
  const { client } = both;
  const one = { stream: 'a', id: randomUUID(), expectedRevision: 'any' } as const;
  await append(client, one);
  await append(client, one);
  await client.appendToStream('b', events(20));
  await append(client, one);
  expect(await idsOf(client, 'a')).toEqual([one.id, one.id]);
});

test('frozen: open connections stay, new ones are taken, nothing is answered; thawed: everything is', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', anEvent());
  double.freeze();
  const appends = [1, 2, 3].map((index) => client.appendToStream(`b${index}`, anEvent()));
  const socket = connect(double.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  expect(await isOpen(Promise.any(appends))).toBe(true);
  expect(storedIds(double)).toHaveLength(1);
  double.thaw();
  await Promise.all(appends);
  expect(storedIds(double)).toHaveLength(4);
});

test('frozen too long: the client misses the answer to its keep-alive, and gives the connection up', async () => {
  await using both = await doubleAndClient({}, 'keepAliveInterval=100&keepAliveTimeout=100');
  const { double, client } = both;
  await client.appendToStream('a', anEvent());
  double.freeze();
  expect(await failureOf(client.appendToStream('a', anEvent()))).toMatchObject({ type: 'unavailable', code: 14 });
  double.thaw();
  await persistently(() => client.appendToStream('a', anEvent()));
});

test('killed while frozen, it comes back with nothing held', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', anEvent());
  double.freeze();
  const lost = failureOf(client.appendToStream('a', anEvent()));
  await double.kill();
  expect(await lost).toMatchObject({ code: 14 });
  await double.restart();
  await persistently(() => client.appendToStream('b', anEvent()));
  expect(storedIds(double)).toHaveLength(2);
});

test('after everything is closed no call is open', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(200));
  const subscription = client.subscribeToAll().on('data', () => {});
  await idsOf(client, 'a');
  await failureOf(idsOf(client, 'missing'));
  const early = client.readAll().on('error', () => {});
  await once(early, 'data');
  await early.cancel();
  await eventually(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1, 'Streams/Read': 1 });
  await subscription.unsubscribe();
  await client.dispose();
  await eventually(() => double.openCalls()).toEqual({});
});

test('discovery finds the one node', async () => {
  await using both = await doubleAndClient();
  await both.client.dispose();
  const url = both.double.url.replace('esdb:', 'esdb+discover:');
  const client = EventStoreDBClient.connectionString(url);
  expect(await client.appendToStream('a', anEvent())).toMatchObject({ success: true });
  await client.dispose();
});

test('a process with a double and a client ends by itself when both are closed', async () => {
  const script = `
    const { startEventStoreDouble } = await import('./start-double.ts');
    const { EventStoreDBClient, jsonEvent } = (await import('@eventstore/db-client')).default;
    const double = await startEventStoreDouble();
    const client = EventStoreDBClient.connectionString(double.url);
    const subscription = client.subscribeToAll();
    await client.appendToStream('a', jsonEvent({ type: 'Noted', data: {} }));
    double.inject({ on: 'append', nth: 1, kind: 'frozen', durationMs: 600_000 });
    const open = client.appendToStream('a', jsonEvent({ type: 'Noted', data: {} })).catch(() => {});
    await Promise.all([subscription.unsubscribe(), client.dispose()]);
    await double[Symbol.asyncDispose]();
    console.log('closed');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(output).toBe('closed\n');
  expect(code).toBe(0);
});
