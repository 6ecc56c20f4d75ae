import { binaryEvent, EventStoreDBClient, type JSONType, jsonEvent } from '@eventstore/db-client';
import { describe, expect, test } from 'vitest';
import { eventLogContract, newEvent } from '#shared/event-log/contract.ts';
import { serialiseEvent } from '#shared/event-log/event-bytes.ts';
import { maxAppendBytes } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { type TestEventStore, testEventStore } from '#shared/testing/test-event-store.ts';

const server = testEventStore() as TestEventStore;

eventLogContract('EventStoreDB', async () => {
  const log = await eventStoreLog(server);
  return { log, close: () => log.close() };
});

describe('the event log in EventStoreDB', () => {
  const { prefix } = testEventStore() as TestEventStore;

  /** The client itself, while no log is open: one a process. */
  async function withClient(work: (client: EventStoreDBClient) => Promise<unknown>): Promise<void> {
    const client = EventStoreDBClient.connectionString(server.url);
    await work(client);
    await client.dispose();
  }

  test('skips what is not ours, and reads on behind it', async () => {
    const ours = newEvent('acme');
    const { id, type, data, metadata } = newEvent('acme');
    let log = await eventStoreLog({ url: server.url, prefix });
    const before = await log.head();
    await log.close();
    await withClient(async (client) => {
      const others = Array.from({ length: 30 }, () =>
        jsonEvent({ type: 'Other', data: {}, metadata: { tenant: 'x' } }),
      );
      await client.appendToStream(`${prefix}selection-a`, others);
      await client.appendToStream(`${prefix}order-a`, jsonEvent({ id, type, data: data as JSONType, metadata }));
      await client.appendToStream(
        `other.${prefix}selection-a`,
        jsonEvent({ id, type, data: data as JSONType, metadata }),
      );
      await client.appendToStream(`${prefix}selection-b`, binaryEvent({ type: 'Bytes', data: Buffer.from([1, 2]) }));
    });
    log = await eventStoreLog({ url: server.url, prefix });
    const first = await log.readAll(before, 10);
    expect(first).toMatchObject({ events: [], end: false });
    expect(first.position > before).toBe(true);
    await log.append([{ stream: 'selection-c', expected: 'none', events: [ours] }]);
    const seen: string[] = [];
    const stop = new AbortController();
    for await (const message of log.subscribe(before, stop.signal)) {
      if (message.kind === 'caught-up') stop.abort();
      else {
        seen.push(...message.events.map((event) => event.id));
      }
    }
    expect(seen).toEqual([ours.id]);
    expect(await Array.fromAsync(log.readStream('acme', 'selection-a'))).toEqual([]);
    expect((await log.readLast('acme', ['selection-a', 'selection-b', 'selection-c'])).size).toBe(1);
    expect(await log.readAt(first.position)).toBeNull();
    await log.close();
  });

  test('goes on in a stream that was deleted, and says that one is closed for ever', async () => {
    await withClient(async (client) => {
      await client.appendToStream(
        `${prefix}selection-gone`,
        [1, 2].map((n) => jsonEvent({ type: 'Other', data: { n } })),
      );
      await client.deleteStream(`${prefix}selection-gone`);
      await client.appendToStream(`${prefix}selection-closed`, jsonEvent({ type: 'Other', data: {} }));
      await client.tombstoneStream(`${prefix}selection-closed`);
    });
    const log = await eventStoreLog({ url: server.url, prefix });
    const append = (stream: string) => log.append([{ stream, expected: 'none', events: [newEvent('acme')] }]);
    const [result] = await append('selection-gone');
    expect(result).toMatchObject({ outcome: 'appended', revision: 2 });
    expect((await Array.fromAsync(log.readStream('acme', 'selection-gone'))).map(({ revision }) => revision)).toEqual([
      2,
    ]);
    expect((await log.readLast('acme', ['selection-gone'])).get('selection-gone')?.revision).toBe(2);
    await expect(append('selection-closed')).rejects.toMatchObject({ type: 'stream-deleted' });
    await expect(Array.fromAsync(log.readStream('acme', 'selection-closed'))).rejects.toMatchObject({
      type: 'stream-deleted',
    });
    await log.close();
  });

  test('has an identity that stays, another one for each prefix', async () => {
    const open = async (its: string) => {
      const log = await eventStoreLog({ url: server.url, prefix: its });
      await log.close();
      return log.id;
    };
    const id = await open(prefix);
    expect(await open(prefix)).toBe(id);
    expect(await open(`${prefix}more.`)).not.toBe(id);
  });

  test('an append of exactly the limit is taken, one byte more is not', async () => {
    const log = await eventStoreLog({ url: server.url, prefix });
    const half = newEvent('acme', { text: '' });
    const { bytes } = serialiseEvent(half);
    const sized = (size: number) => ({
      ...newEvent('acme', { text: 'x'.repeat(size - bytes) }),
      metadata: half.metadata,
    });
    const append = (stream: string, more: number) =>
      log.append([{ stream, expected: 'none', events: [sized(maxAppendBytes / 2), sized(maxAppendBytes / 2 + more)] }]);
    expect((await append('selection-over', 1))[0]).toMatchObject({ outcome: 'too-large' });
    expect((await append('selection-full', 0))[0]).toMatchObject({ outcome: 'appended', revision: 1 });
    await log.close();
  });
});
