/** What a reader does with a fetched batch of one partition: cuts it into deliveries, and goes on after each was applied. */
import { SpanKind } from '@opentelemetry/api';
import type { Batch, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { inSpan, traceparentsOf } from '#shared/telemetry/span.ts';
import type { HandOver } from '#shared/transport/kafka/hand-over.ts';
import { kafkaMetrics } from '#shared/transport/kafka/metrics.ts';
import { readRecord } from '#shared/transport/kafka/record.ts';
import type { DeliveredEvent, Delivery, Watermark } from '#shared/transport/transport.ts';

/** A fetched batch is handed over whole by the client, however large: cut before it becomes transactions. */
const deliveryRecords = 500;
/** A member that works longer than its session without a sign is put out, and another one gets its partitions. */
export const heartbeatMilliseconds = 500;

/**
 * By partition: the greatest epoch of a relay that was seen, and up to which offset. A record of an earlier epoch behind
 * it is a loser's. What is read again, after the group's members have changed, was counted before.
 */
export type Seen = Map<number, { epoch: number; offset: bigint }>;

export interface Reading {
  readonly handed: HandOver;
  readonly reader: string;
  readonly logId: string;
  readonly seen: Seen;
  readonly runtime: Runtime;
  /** Up to which offset a partition was worked off. */
  worked(partition: number, offset: bigint): void;
}

export async function workOff(
  { batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload,
  reading: Reading,
): Promise<void> {
  for (let at = 0; at < batch.messages.length; at += deliveryRecords) {
    if (!isRunning() || isStale()) return;
    const messages = batch.messages.slice(at, at + deliveryRecords);
    for (const delivery of deliveriesOf(messages, batch.partition, reading))
      await beating(heartbeat, reading.runtime, () => traced(batch, reading, delivery));
    const { offset } = messages.at(-1) as KafkaMessage;
    resolveOffset(offset);
    reading.worked(batch.partition, BigInt(offset));
    await heartbeat();
  }
}

/** Events in a span of its own until they are applied, linked to what they came from. */
function traced({ topic, partition }: Batch, { reader, handed }: Reading, delivery: Delivery): Promise<void> {
  const { events } = delivery;
  if (events.length === 0) return handed.give(delivery);
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'process',
    'messaging.destination.name': topic,
    'messaging.destination.partition.id': String(partition),
    'messaging.consumer.group.name': reader,
    'messaging.batch.message_count': events.length,
  };
  const traceparents = traceparentsOf(events.map(({ event }) => event));
  return inSpan('kafka consume', attributes, () => handed.give(delivery), { traceparents, kind: SpanKind.CONSUMER });
}

/** Does the work, with a sign to the group now and then, however long it takes. */
async function beating(heartbeat: () => Promise<void>, runtime: Runtime, work: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const signs = (async () => {
    while (!done.signal.aborted) {
      await runtime.sleep(heartbeatMilliseconds, done.signal);
      if (!done.signal.aborted) await heartbeat().catch(() => undefined);
    }
  })();
  try {
    await work();
  } finally {
    done.abort();
    await signs;
  }
}

/** Events up to and with the watermark behind them; a delivery holds one watermark at most. */
function* deliveriesOf(messages: readonly KafkaMessage[], partition: number, reading: Reading): Generator<Delivery> {
  let events: DeliveredEvent[] = [];
  let watermark: Watermark | null = null;
  const delivery = (): Delivery => ({ events, watermarks: watermark ? [watermark] : [] });
  for (const message of messages) {
    const read = readRecord(message, reading.logId);
    if (read.kind === 'foreign') {
      kafkaMetrics.foreign.inc({ reader: reading.reader });
      continue;
    }
    look(partition, read.epoch, BigInt(message.offset), reading);
    if (read.kind === 'watermark') {
      watermark = read.watermark;
      continue;
    }
    if (watermark) {
      yield delivery();
      [events, watermark] = [[], null];
    }
    events.push(read.delivered);
  }
  if (events.length > 0 || watermark) yield delivery();
}

function look(partition: number, epoch: number, offset: bigint, { seen, reader }: Reading): void {
  const before = seen.get(partition);
  if (before && offset <= before.offset) return;
  if (before && epoch < before.epoch) kafkaMetrics.losers.inc({ reader });
  seen.set(partition, { epoch: Math.max(epoch, before?.epoch ?? 0), offset });
}
