/**
 * The transport through Kafka. Readers of one name are one consumer group, so they share the partitions. What was applied
 * is said by the checkpoints in Postgres; the group's offsets are a hint where to go on, committed after a delivery was
 * worked off. What the topic lost, repeated or reordered is seen by positions, and told as it is.
 */
import type { Consumer, Kafka } from 'kafkajs';
import { atMost } from '#shared/runtime/at-most.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { groupIdOf } from '#shared/transport/kafka/group-id.ts';
import { handOver } from '#shared/transport/kafka/hand-over.ts';
import { kafkaMetrics } from '#shared/transport/kafka/metrics.ts';
import { heartbeatMilliseconds, type Seen, workOff } from '#shared/transport/kafka/work-off.ts';
import { slotCount } from '#shared/transport/slot.ts';
import type { Transport } from '#shared/transport/transport.ts';

export interface KafkaTransportOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** The log that is carried; records of others on the topic are left out, and counted. */
  readonly logId: string;
  readonly runtime: Runtime;
}

const idleMilliseconds = 1_000;
const hintMilliseconds = 1_000;
/** A member that hears nothing of its broker for so long, some heartbeats and a change of members, is cut off. */
const silentMilliseconds = 10_000;
/** A relay sends each partition a watermark about every second. */
const unsentMilliseconds = 15_000;
const disconnectMilliseconds = 2_000;

export function kafkaTransport({ kafka, topic, logId, runtime }: KafkaTransportOptions): Transport {
  /** By reader: kept while it joins again. */
  const seenBy = new Map<string, Seen>();

  return {
    // Where each slot stands is no offset of the topic: what is before it arrives again, and is dropped.
    async *deliver(reader, _from, signal) {
      // A counter that appears with its first record has no rate of it.
      kafkaMetrics.foreign.inc({ reader }, 0);
      kafkaMetrics.losers.inc({ reader }, 0);
      const seen: Seen = seenBy.get(reader) ?? new Map();
      seenBy.set(reader, seen);
      const handed = handOver(runtime);
      let left = false;
      const consumer = kafka.consumer({
        groupId: groupIdOf(topic, logId, reader),
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
      const member = membership(consumer, topic, runtime);
      // One that was just starting again when it was told to leave does not hear that: it would keep its partitions for ever.
      consumer.on(consumer.events.FETCH_START, () => {
        if (left) void consumer.disconnect().catch(() => undefined);
      });
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) handed.fail(payload.error);
      });
      const offsets = offsetHints(consumer, topic, runtime);
      // Not waited for: a broker that has fallen silent answers after many seconds, and meanwhile signs of life are due.
      const begun = (async () => {
        await consumer.connect();
        await consumer.subscribe({ topic, fromBeginning: true });
        await consumer.run({
          // What is fetched together is given together, and costs one transaction.
          partitionsConsumedConcurrently: slotCount,
          // The client would commit after each batch, before it fetches the next.
          autoCommit: false,
          eachBatchAutoResolve: false,
          eachBatch: (batch) => {
            member.received();
            return workOff(batch, { handed, reader, logId, seen, runtime, worked: offsets.worked });
          },
        });
      })().catch((error: Error) => handed.fail(error));
      try {
        while (!signal.aborted) {
          const waited = new AbortController();
          const stop = AbortSignal.any([signal, waited.signal]);
          const delivery = await handed.take(runtime.sleep(idleMilliseconds, stop));
          waited.abort();
          if (signal.aborted) return;
          // Nothing, too: whoever receives shows by it that it is alive, also while the broker is away.
          yield delivery ?? { events: [], watermarks: [], waitingFor: member.waitingFor() };
        }
      } finally {
        left = true;
        handed.close();
        offsets.stop();
        const disconnect = () => consumer.disconnect().catch(() => undefined);
        // Again when it has begun: what is just being connected does not hear the first.
        const gone = disconnect().then(() => begun.then(disconnect));
        await atMost(runtime, disconnectMilliseconds, gone, undefined);
      }
    },
  };
}

/** Tells the group now and then how far each partition is worked off; nobody waits for it, and it may fail. */
function offsetHints(consumer: Consumer, topic: string, runtime: Runtime) {
  const stop = new AbortController();
  let next = new Map<number, string>();
  // What was worked off before the members changed may be another one's now.
  for (const event of [consumer.events.REBALANCING, consumer.events.GROUP_JOIN] as const)
    consumer.on(event as typeof consumer.events.GROUP_JOIN, () => next.clear());
  void (async () => {
    while (!stop.signal.aborted) {
      await runtime.sleep(hintMilliseconds, stop.signal);
      const told = next;
      next = new Map();
      if (told.size === 0 || stop.signal.aborted) continue;
      const offsets = [...told].map(([partition, offset]) => ({ topic, partition, offset }));
      await consumer.commitOffsets(offsets).catch(() => undefined);
    }
  })();
  return {
    worked: (partition: number, offset: bigint) => void next.set(partition, String(offset + 1n)),
    stop: () => stop.abort(),
  };
}

/** What a member of a group hears of its broker and of the relay. */
function membership(consumer: Consumer, topic: string, runtime: Runtime) {
  const now = () => runtime.now().getTime();
  let heardAt: number | null = null;
  let receivedAt = 0;
  let partitions = 0;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    heardAt = now();
    receivedAt = heardAt;
    partitions = payload.memberAssignment[topic]?.length ?? 0;
  });
  consumer.on(consumer.events.HEARTBEAT, () => {
    heardAt = now();
  });
  return {
    received() {
      receivedAt = now();
    },
    /** What keeps records from coming, in words; null where all is well. */
    waitingFor(): string | null {
      if (heardAt === null) return 'Kafka: it is not a member of its group yet';
      if (now() - heardAt > silentMilliseconds) return 'Kafka: no broker answers';
      // With more members than partitions some have none, and nothing to wait for.
      const unsent = partitions > 0 && now() - receivedAt > unsentMilliseconds;
      return unsent ? 'Kafka: nothing comes, not even a watermark; no relay sends' : null;
    },
  };
}
