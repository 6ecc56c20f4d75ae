/**
 * Sends records to the topic: to each partition one send after another, each acknowledged by all replicas before the
 * next. A partition that the client does not know yet takes records without storing them, and without an error: so
 * every answer is looked at for every partition that was sent to.
 */
import { SpanKind } from '@opentelemetry/api';
import { CompressionTypes, type Kafka, type Producer } from 'kafkajs';
import { atMost } from '#shared/runtime/at-most.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { inSpan } from '#shared/telemetry/span.ts';
import type { KafkaRecord } from '#shared/transport/kafka/record.ts';
import { partitionsOf } from '#shared/transport/kafka/topic.ts';

/** A record was not stored, or nobody knows whether it was. Sending it again is safe: receivers see positions. */
export class NotSent extends Error {
  override readonly name = 'NotSent';
}

export interface Publisher {
  /** How many partitions there are, as last asked. */
  readonly partitions: number;
  /** Asks again; rejects with NotSent. */
  refresh(): Promise<number>;
  /** Resolves when all is stored; in each partition in the order given. Rejects with NotSent. */
  publish(records: ReadonlyMap<number, readonly KafkaRecord[]>): Promise<void>;
  close(): Promise<void>;
}

/** Below it compressing a send, and unpacking it for each reader, costs more than it saves. */
const leastCompressedBytes = 4 * 1024;
/** Of one send to one partition, before compression. */
const maxSendBytes = 512 * 1024;
const maxSendRecords = 500;
const closeMilliseconds = 2_000;

const bytesOf = ({ value, headers }: KafkaRecord): number => {
  let bytes = Buffer.byteLength(value);
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name] as string);
  return bytes;
};

/** Cut so that a send stays below what a broker takes at once. */
function cutSends(records: readonly KafkaRecord[]): KafkaRecord[][] {
  const sends: KafkaRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = bytesOf(record);
    if (bytes + size > maxSendBytes || (sends.at(-1)?.length ?? 0) >= maxSendRecords) {
      sends.push([]);
      bytes = 0;
    }
    sends.at(-1)?.push(record);
    bytes += size;
  }
  return sends;
}

/** A send of events in a span of its own, linked to what they came from; watermarks are nobody's request. */
function traced<T>(topic: string, records: readonly KafkaRecord[], send: () => Promise<T>): Promise<T> {
  const traceparents = records.flatMap(({ headers }) => headers['ce_traceparent'] ?? []);
  if (traceparents.length === 0) return send();
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.destination.name': topic,
    'messaging.batch.message_count': records.length,
  };
  return inSpan('kafka produce', attributes, send, { traceparents, kind: SpanKind.PRODUCER });
}

export async function kafkaPublisher(kafka: Kafka, topic: string, runtime: Runtime): Promise<Publisher> {
  const admin = kafka.admin();
  const connected = async (): Promise<Producer> => {
    const made = kafka.producer({ allowAutoTopicCreation: false });
    await made.connect();
    return made;
  };
  let [producer] = await Promise.all([connected(), admin.connect()]);
  let partitions = await partitionsOf(admin, topic);
  let sending: Promise<unknown> = Promise.resolve();

  /** One that knows of new partitions, in the place of one that would ask for them within some send, or drop records. */
  async function renew(): Promise<void> {
    const [before, underWay] = [producer, sending];
    producer = await connected();
    void underWay
      .catch(() => undefined)
      .then(() => before.disconnect())
      .catch(() => undefined);
  }

  async function send(round: ReadonlyMap<number, readonly KafkaRecord[]>): Promise<void> {
    const messages = [...round].flatMap(([partition, records]) => records.map((record) => ({ ...record, partition })));
    let stored: Set<number>;
    try {
      const large = messages.reduce((sum, record) => sum + bytesOf(record), 0) >= leastCompressedBytes;
      const compression = large ? CompressionTypes.GZIP : CompressionTypes.None;
      const answers = await traced(topic, messages, () => {
        const sent = producer.send({ topic, acks: -1, compression, messages });
        sending = sent;
        return sent;
      });
      stored = new Set(
        answers.filter((one) => one.errorCode === 0 && one.baseOffset !== undefined).map((one) => one.partition),
      );
    } catch (error) {
      throw new NotSent(`the broker did not take ${messages.length} records: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const missing = [...round.keys()].filter((partition) => !stored.has(partition));
    if (missing.length > 0)
      throw new NotSent(`partition ${missing.join(', ')} of ${topic} is not known to the client yet`);
  }

  return {
    get partitions() {
      return partitions;
    },
    async refresh() {
      try {
        const now = await partitionsOf(admin, topic);
        if (now !== partitions) await renew();
        partitions = now;
      } catch (error) {
        throw new NotSent(`the broker does not say what partitions ${topic} has: ${(error as Error).message}`, {
          cause: error,
        });
      }
      return partitions;
    },
    async publish(records) {
      const sends = new Map([...records].map(([partition, some]) => [partition, cutSends(some)]));
      const rounds = Math.max(0, ...[...sends.values()].map((some) => some.length));
      for (let round = 0; round < rounds; round++) {
        const now = new Map<number, readonly KafkaRecord[]>();
        for (const [partition, some] of sends) {
          const next = some[round];
          if (next) now.set(partition, next);
        }
        await send(now);
      }
    },
    async close() {
      const ended = Promise.allSettled([producer.disconnect(), admin.disconnect()]);
      await atMost(runtime, closeMilliseconds, ended, undefined);
    },
  };
}
