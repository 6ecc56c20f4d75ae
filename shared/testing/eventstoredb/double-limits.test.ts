/** Where the real server has a limit: size, streams of a connection, and how much may be under way. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { binaryEvent } from '@eventstore/db-client';
import { expect, test } from 'vitest';
import {
  anEvent,
  append,
  doubleAndClient,
  events,
  eventually,
  failureOf,
  idsOf,
  storedIds,
} from './double-and-client.ts';

const megabyte = 1_048_576;

/** An event that counts so many bytes: type, data and metadata. */
const ofSize = (bytes: number) =>
  binaryEvent({ type: 'Big', data: Buffer.alloc(bytes - 13), metadata: Buffer.alloc(10) });

test('an append of exactly 1,048,576 bytes is stored, one more is too many', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', ofSize(megabyte), { expectedRevision: 'no_stream' });
  await client.appendToStream('a', [ofSize(megabyte - 100), ofSize(100)], { expectedRevision: 0n });
  expect(storedIds(double)).toHaveLength(3);
  for (const tooMuch of [[ofSize(megabyte + 1)], [ofSize(megabyte - 100), ofSize(101)]])
    await expect(client.appendToStream('a', tooMuch)).rejects.toMatchObject({
      type: 'maximum-append-size-exceeded',
      maxAppendSize: megabyte,
    });
  expect(storedIds(double)).toHaveLength(3);
});

test('the same for the older form of an append', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  const credentials = { username: 'ignored', password: 'without TLS' };
  await client.appendToStream('a', ofSize(megabyte), { credentials });
  await expect(client.appendToStream('a', ofSize(megabyte + 1), { credentials })).rejects.toMatchObject({
    type: 'maximum-append-size-exceeded',
    maxAppendSize: megabyte,
  });
  expect(storedIds(double)).toHaveLength(1);
});

test('an append in several messages is one append', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  const answer = await client.appendToStream('a', events(20, 100), {
    batchAppendSize: 500,
    expectedRevision: 'no_stream',
  });
  expect(answer.nextExpectedRevision).toBe(19n);
  expect(double.counts().appends).toBe(1);
  const tooMuch = client.appendToStream('a', events(20, 100_000), { batchAppendSize: 150_000 });
  expect(await failureOf(tooMuch)).toMatchObject({ type: 'maximum-append-size-exceeded' });
  expect(storedIds(double)).toHaveLength(20);
});

test('256 appends under way do not block each other', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < 2_000) {
      const index = next;
      next += 1;
      await client.appendToStream(`s${index % 300}`, anEvent(undefined, 2_000));
    }
  };
  await Promise.all(Array.from({ length: 256 }, work));
  expect(double.counts().appends).toBe(2_000);
  expect(new Set(storedIds(double)).size).toBe(2_000);
});

test('of concurrent writers with the same expectation one wins', async () => {
  await using both = await doubleAndClient();
  const { client } = both;
  await client.appendToStream('a', anEvent(), { expectedRevision: 'no_stream' });
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => client.appendToStream('a', anEvent(), { expectedRevision: 0n })),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results)
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ type: 'wrong-expected-version', expectedVersion: 0n, actualVersion: 1n });
});

test('a connection has 100 streams: with 99 abandoned reads and the appends, another read waits', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(40, 10_000));
  for (let index = 0; index < 99; index += 1) for await (const _event of client.readStream('a')) break;
  await eventually(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1, 'Streams/Read': 99 });
  const { reads } = double.counts();
  const waiting = idsOf(client, 'a');
  waiting.catch(() => {});
  await client.appendToStream('b', anEvent());
  expect(double.counts().reads).toBe(reads);
  expect(double.openCalls()).toEqual({ 'Streams/BatchAppend': 1, 'Streams/Read': 99 });
});

test('a read goes no further ahead than its reader lets it', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  for (let index = 0; index < 10; index += 1) await client.appendToStream('a', events(500, 500));
  const read = client.readStream('a');
  await once(read, 'readable');
  await client.appendToStream('b', anEvent());
  expect(double.counts().events).toBeLessThan(500);
  let seen = 0;
  for await (const _event of read) seen += 1;
  expect(seen).toBe(5_000);
});

test('an append whose deadline has passed is not stored', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  const failure = await failureOf(client.appendToStream('a', anEvent(), { deadline: -1_000 }));
  expect(failure.type).toBe('deadline-exceeded');
  expect(storedIds(double)).toEqual([]);
});

test('the older form of an append is given up by its deadline', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  double.inject({ on: 'append', nth: 1, kind: 'unanswered-after' });
  const credentials = { username: 'ignored', password: 'without TLS' };
  const failure = await failureOf(client.appendToStream('a', anEvent(), { credentials, deadline: 100 }));
  expect(failure).toMatchObject({ type: 'deadline-exceeded', code: 4 });
  expect(storedIds(double)).toHaveLength(1);
});

test('the older form of an append knows conflicts, repetitions and tombstones too', async () => {
  await using both = await doubleAndClient();
  const { client } = both;
  const credentials = { username: 'ignored', password: 'without TLS' };
  const one = anEvent(randomUUID());
  const first = await client.appendToStream('a', one, { credentials, expectedRevision: 'no_stream' });
  expect(await client.appendToStream('a', one, { credentials, expectedRevision: 'no_stream' })).toEqual(first);
  await expect(client.appendToStream('a', anEvent(), { credentials, expectedRevision: 5n })).rejects.toMatchObject({
    type: 'wrong-expected-version',
    expectedVersion: 5n,
    actualVersion: 0n,
  });
  await client.tombstoneStream('a');
  expect(await failureOf(client.appendToStream('a', one, { credentials }))).toMatchObject({ type: 'stream-deleted' });
  expect(await failureOf(append(client, { stream: 'a', id: randomUUID(), expectedRevision: 'any' }))).toMatchObject({
    type: 'stream-deleted',
  });
});
