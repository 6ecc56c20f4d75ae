/**
 * The transport through Kafka. Readers of one name are one consumer group, so they share the partitions. Where to go on
 * is said by the checkpoints in Postgres; the group's offsets are a hint, committed after a delivery was worked off.
 * What the topic lost, repeated or reordered is seen by positions, and told as it is.
 */
import type { Batch, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { atMost } from '#shared/runtime/at-most.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { type HandOver, handOver } from '#shared/transport/kafka/hand-over.ts';
import { kafkaMetrics } from '#shared/transport/kafka/metrics.ts';
import { readRecord } from '#shared/transport/kafka/record.ts';
import type { DeliveredEvent, Delivery, Transport, Watermark } from '#shared/transport/transport.ts';

export interface KafkaTransportOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Before the names of the groups, so that installations share a broker. */
  readonly groupPrefix?: string;
  readonly logger: Logger;
  readonly runtime: Runtime;
}

/** A fetched batch is handed over whole by the client, however large: cut before it becomes transactions. */
const deliveryRecords = 500;
/** A member that works longer than its session without a sign is put out, and another one gets its partitions. */
const heartbeatMilliseconds = 500;
const idleMilliseconds = 1_000;
/** A member that hears nothing of its broker for so long, some heartbeats and a change of members, is cut off. */
const silentMilliseconds = 10_000;
const disconnectMilliseconds = 2_000;

/** By reader and partition of a topic, the greatest epoch of a relay that was seen: an earlier one is a loser's. */
type Epochs = Map<string, number>;

export function kafkaTransport(options: KafkaTransportOptions): Transport {
  const epochs: Epochs = new Map();
  return {
    async *deliver(reader, _from, signal) {
      const { kafka, topic, runtime } = options;
      // A counter that appears with its first record has no rate of it.
      kafkaMetrics.foreign.inc({ reader }, 0);
      kafkaMetrics.losers.inc({ reader }, 0);
      const handed = handOver();
      let left = false;
      const consumer = kafka.consumer({
        groupId: `${options.groupPrefix ?? 'cool-mint.'}${reader}`,
        sessionTimeout: 6_000,
        heartbeatInterval: heartbeatMilliseconds,
        rebalanceTimeout: 10_000,
        metadataMaxAge: 5_000,
        maxWaitTimeInMs: 100,
        maxBytes: 2 * 1024 * 1024,
        maxBytesPerPartition: 512 * 1024,
        // One that has crashed for good is made anew by whoever called; one that nobody needs any more stays down.
        retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => !left },
      });
      let member = false;
      let heardAt = runtime.now().getTime();
      const hear = () => {
        member = true;
        heardAt = runtime.now().getTime();
      };
      consumer.on(consumer.events.GROUP_JOIN, hear);
      consumer.on(consumer.events.HEARTBEAT, hear);
      // One that was just starting again when it was told to leave does not hear that: it would keep its partitions for ever.
      consumer.on(consumer.events.FETCH_START, () => {
        if (left) void consumer.disconnect().catch(() => undefined);
      });
      const waitingFor = (): string | null => {
        if (!member) return 'Kafka: it is not a member of its group yet';
        return runtime.now().getTime() - heardAt > silentMilliseconds ? 'Kafka: no broker answers' : null;
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) handed.fail(payload.error);
      });
      try {
        await consumer.connect();
        await consumer.subscribe({ topic, fromBeginning: true });
        await consumer.run({
          partitionsConsumedConcurrently: 1,
          autoCommitInterval: 1_000,
          eachBatchAutoResolve: false,
          eachBatch: (batch) => workOff(batch, handed, reader, epochs, runtime),
        });
        while (!signal.aborted) {
          const waited = new AbortController();
          const stop = AbortSignal.any([signal, waited.signal]);
          const delivery = await handed.take(runtime.sleep(idleMilliseconds, stop));
          waited.abort();
          if (signal.aborted) return;
          // Nothing, too: whoever receives shows by it that it is alive, also while the broker is away.
          yield delivery ?? { events: [], watermark: null, waitingFor: waitingFor() };
        }
      } finally {
        left = true;
        handed.close();
        await atMost(
          runtime,
          disconnectMilliseconds,
          consumer.disconnect().catch(() => undefined),
          undefined,
        );
      }
    },
  };
}

async function workOff(
  { batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }: EachBatchPayload,
  handed: HandOver,
  reader: string,
  epochs: Epochs,
  runtime: Runtime,
): Promise<void> {
  for (let at = 0; at < batch.messages.length; at += deliveryRecords) {
    if (!isRunning() || isStale()) return;
    const messages = batch.messages.slice(at, at + deliveryRecords);
    for (const delivery of deliveriesOf(messages, reader, batch.partition, epochs)) {
      const done = new AbortController();
      const beating = (async () => {
        while (!done.signal.aborted) {
          await runtime.sleep(heartbeatMilliseconds, done.signal);
          if (!done.signal.aborted) await heartbeat().catch(() => undefined);
        }
      })();
      try {
        await handed.give(delivery);
      } finally {
        done.abort();
        await beating;
      }
    }
    resolveOffset(messages.at(-1)?.offset as string);
    await commitOffsetsIfNecessary();
    await heartbeat();
  }
}

/** Events up to and with the watermark behind them; a delivery holds one watermark at most. */
function* deliveriesOf(
  messages: Batch['messages'],
  reader: string,
  partition: number,
  epochs: Epochs,
): Generator<Delivery> {
  let events: DeliveredEvent[] = [];
  let watermark: Watermark | null = null;
  const labels = { reader };
  for (const message of messages) {
    const read = readRecord(message);
    if (read.kind === 'foreign') {
      kafkaMetrics.foreign.inc(labels);
      continue;
    }
    const epoch = read.kind === 'event' ? read.sent.epoch : read.epoch;
    const key = `${reader} ${partition}`;
    const greatest = epochs.get(key) ?? 0;
    if (epoch < greatest) kafkaMetrics.losers.inc(labels);
    else epochs.set(key, epoch);
    if (read.kind === 'event') {
      if (watermark) {
        yield { events, watermark };
        [events, watermark] = [[], null];
      }
      events.push(read.delivered);
    } else watermark = read.watermark;
  }
  if (events.length > 0 || watermark) yield { events, watermark };
}
