import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { handOver } from '#shared/transport/kafka/hand-over.ts';
import { kafkaMetrics } from '#shared/transport/kafka/metrics.ts';
import { type KafkaRecord, recordOf, recordOfWatermark } from '#shared/transport/kafka/record.ts';
import { type Reading, workOff } from '#shared/transport/kafka/work-off.ts';
import type { Delivery } from '#shared/transport/transport.ts';

const logId = '00000001';
const at = (number: number) => positionOf(logId, number);
const eventRecord = (number: number, epoch = 1) =>
  recordOf(
    {
      slot: 1,
      previous: at(number - 1),
      ordinal: number,
      event: { ...newEvent('acme'), stream: `selection-${number}`, revision: 0, position: at(number) },
    },
    epoch,
  );
const markRecord = (number: number, epoch = 1) =>
  recordOfWatermark({ position: at(number), time: null, previous: new Map([[1, at(number)]]) }, epoch);

/** A batch as the client hands it over, and what was done with it. */
function batchOf(records: readonly KafkaRecord[], firstOffset = 0) {
  const messages = records.map(
    ({ value, headers }, index) =>
      ({ value: Buffer.from(value), headers, offset: String(firstOffset + index) }) as unknown as KafkaMessage,
  );
  const did = { beats: 0, resolved: [] as string[] };
  const payload = {
    batch: { messages, partition: 0 },
    resolveOffset: (offset: string) => did.resolved.push(offset),
    heartbeat: async () => void did.beats++,
    isRunning: () => true,
    isStale: () => false,
  } as unknown as EachBatchPayload;
  return { payload, did };
}

const readingOf = (options: Partial<Reading> = {}): Reading => ({
  handed: handOver(systemRuntime),
  reader: `reader-${Math.random()}`,
  logId,
  seen: new Map(),
  runtime: systemRuntime,
  worked: () => undefined,
  ...options,
});

/** Works a batch off; answers the deliveries in order. */
async function deliveries({ payload }: ReturnType<typeof batchOf>, reading: Reading): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  let over = false;
  const working = workOff(payload, reading).then(() => {
    over = true;
  });
  while (!over) {
    const delivery = await reading.handed.take(systemRuntime.sleep(5));
    if (delivery) taken.push(delivery);
  }
  await working;
  return taken;
}

const losers = async (reader: string) =>
  (await kafkaMetrics.losers.get()).values.find(({ labels }) => labels.reader === reader)?.value ?? 0;

describe('a fetched batch', () => {
  test('is cut before it becomes transactions, and its offsets are resolved piece by piece', async () => {
    const batch = batchOf(Array.from({ length: 1_201 }, (_, index) => eventRecord(index + 1)));
    const worked: bigint[] = [];
    const taken = await deliveries(batch, readingOf({ worked: (_, offset) => worked.push(offset) }));
    expect(worked).toEqual([499n, 999n, 1_200n]);
    expect(taken.map(({ events }) => events.length)).toEqual([500, 500, 201]);
    expect(batch.did.resolved).toEqual(['499', '999', '1200']);
  });

  test('gives a watermark with the events before it, and only the last of several', async () => {
    const batch = batchOf([eventRecord(1), markRecord(1), markRecord(2), eventRecord(3), markRecord(4)]);
    const taken = await deliveries(batch, readingOf());
    expect(taken.map(({ events, watermarks }) => [events.length, watermarks.map(({ position }) => position)])).toEqual([
      [1, [at(2)]],
      [1, [at(4)]],
    ]);
  });

  test('that takes longer than a session to apply keeps its member in the group by signs', async () => {
    let slept = 0;
    const runtime: Runtime = {
      ...systemRuntime,
      sleep: async (milliseconds, signal) => {
        slept += milliseconds;
        await systemRuntime.sleep(1, signal);
      },
    };
    const reading = readingOf({ runtime });
    const batch = batchOf([eventRecord(1)]);
    const working = workOff(batch.payload, reading);
    await reading.handed.take(systemRuntime.sleep(1_000));
    // A transaction of twenty seconds.
    await expect.poll(() => slept).toBeGreaterThan(20_000);
    expect(batch.did.beats).toBeGreaterThanOrEqual(39);
    await reading.handed.take(Promise.resolve());
    await working;
    expect(batch.did.resolved).toEqual(['0']);
  });
});

describe('records of a relay that had lost its lease', () => {
  test('are counted where they come after those of its successor', async () => {
    const reading = readingOf();
    await deliveries(batchOf([eventRecord(1, 1), eventRecord(2, 2), eventRecord(2, 1), markRecord(3, 1)]), reading);
    expect(await losers(reading.reader)).toBe(2);
  });

  test('are not counted again when the topic is read again', async () => {
    const reading = readingOf();
    const records = [eventRecord(1, 1), eventRecord(2, 2), eventRecord(3, 1)];
    await deliveries(batchOf(records), reading);
    await deliveries(batchOf(records), reading);
    expect(await losers(reading.reader)).toBe(1);
  });
});
