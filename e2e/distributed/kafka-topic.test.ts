/** The topic: made as the settings say, used as it is where it stands, and refused where events would be lost on it. */
import { randomUUID } from 'node:crypto';
import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { maxEventBytes } from '#shared/event-log/event-log.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { connectKafka } from '#shared/transport/kafka/connect.ts';

const { brokers } = testKafka() as TestKafka;
let admin: Admin;
beforeAll(async () => {
  admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());

const name = () => `cool-mint.topic.${randomUUID().slice(0, 8)}`;
/** Connects as a process does at its start; answers what it warned of. */
async function connect(topic: string, settings: { partitions?: number; retentionHours?: number } = {}) {
  const warnings: { differences?: string[] }[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(JSON.parse(line)) });
  await connectKafka(
    { brokers, topic, partitions: 5, retentionHours: 36, replicationFactor: 1, ...settings },
    logger,
    systemRuntime,
  );
  return warnings.flatMap(({ differences }) => differences ?? []);
}
const create = (topic: string, config: Record<string, string>) =>
  admin.createTopics({
    waitForLeaders: true,
    topics: [
      { topic, numPartitions: 2, configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })) },
    ],
  });

test('that is not there is made with the partitions, retention and size of messages that are set', async () => {
  const topic = name();
  expect(await connect(topic)).toEqual([]);
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  expect(topics[0]?.partitions).toHaveLength(5);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  const config = Object.fromEntries(resources[0]?.configEntries.map((one) => [one.configName, one.configValue]) ?? []);
  expect(config).toMatchObject({
    'retention.ms': String(36 * 3_600_000),
    'max.message.bytes': String(2 * maxEventBytes),
    'cleanup.policy': 'delete',
  });
  expect(await connect(topic)).toEqual([]);
});

test('that is there is used as it is, and what differs is said', async () => {
  const topic = name();
  await connect(topic);
  expect(await connect(topic, { partitions: 8, retentionHours: 24 })).toEqual([
    'it has 5 partitions, KAFKA_PARTITIONS says 8',
    'it keeps records for 36 hours, KAFKA_RETENTION_HOURS says 24',
  ]);
  const endless = name();
  await create(endless, { 'retention.ms': '-1', 'max.message.bytes': '2097152' });
  expect(await connect(endless, { partitions: 2 })).toEqual([
    'it keeps records for ever, KAFKA_RETENTION_HOURS says 36',
  ]);
});

test('on which events would be lost is refused, with what to change', async () => {
  const small = name();
  await create(small, { 'max.message.bytes': '100000' });
  await expect(connect(small)).rejects.toThrow(
    /takes messages of 100000 bytes; events need 1048576\. Raise its max\.message\.bytes/,
  );
  const compacted = name();
  await create(compacted, { 'cleanup.policy': 'compact', 'max.message.bytes': '2097152' });
  await expect(connect(compacted)).rejects.toThrow(/has the cleanup\.policy "compact"; it must be "delete"/);
  await expect(connect(name(), { partitions: 65 })).rejects.toThrow(/KAFKA_PARTITIONS: 65 are more than the 64/);
});
