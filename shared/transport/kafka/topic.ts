/** The one topic: made as it must be where it is not there, and checked where it is. */
import kafkajs, { type Admin } from 'kafkajs';
import { SetupError } from '#shared/errors/setup-error.ts';
import { maxEventBytes } from '#shared/event-log/event-log.ts';
import { slotCount } from '#shared/transport/slot.ts';

export interface TopicSettings {
  readonly topic: string;
  /** KAFKA_PARTITIONS: of a new topic; one that is there may have more. */
  readonly partitions: number;
  /** KAFKA_RETENTION_HOURS: of a new topic. What is gone from it is read from the log. */
  readonly retentionHours: number;
  readonly replicationFactor: number;
}

const hourMilliseconds = 3_600_000;
/** Data and metadata of the largest event, and its headers. */
const leastMessageBytes = 2 * maxEventBytes;

/**
 * Answers what of a topic that is there differs from the settings and does no harm, in words. Rejects with a SetupError
 * that says what differs from what is needed.
 */
export async function ensureTopic(admin: Admin, settings: TopicSettings): Promise<string[]> {
  const { topic } = settings;
  if (settings.partitions > slotCount)
    throw new SetupError(`KAFKA_PARTITIONS: ${settings.partitions} are more than the ${slotCount} that can be used.`);
  if (!(await admin.listTopics()).includes(topic))
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: settings.partitions,
          replicationFactor: settings.replicationFactor,
          configEntries: [
            { name: 'retention.ms', value: String(settings.retentionHours * hourMilliseconds) },
            { name: 'max.message.bytes', value: String(leastMessageBytes) },
            { name: 'cleanup.policy', value: 'delete' },
          ],
        },
      ],
    });
  const { retentionMilliseconds } = await checkTopic(admin, topic);
  return differences(settings, await partitionsOf(admin, topic), retentionMilliseconds / hourMilliseconds);
}

function differences(settings: TopicSettings, partitions: number, hours: number): string[] {
  const words: string[] = [];
  if (partitions !== settings.partitions)
    words.push(`it has ${partitions} partitions, KAFKA_PARTITIONS says ${settings.partitions}`);
  if (hours !== settings.retentionHours)
    words.push(
      `it keeps records ${hours < 0 ? 'for ever' : `for ${hours} hours`}, KAFKA_RETENTION_HOURS says ${settings.retentionHours}`,
    );
  return words;
}

export interface FoundTopic {
  /** What of its configuration is of interest to people. */
  readonly retentionMilliseconds: number;
}

/** Rejects with a SetupError that says what of a topic that is there differs from what is needed; changes nothing. */
export async function checkTopic(admin: Admin, topic: string): Promise<FoundTopic> {
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  });
  const configured = new Map(
    described.resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]),
  );
  const largest = Number(configured.get('max.message.bytes'));
  if (largest < leastMessageBytes)
    throw new SetupError(
      `The topic ${topic} takes messages of ${largest} bytes; events need ${leastMessageBytes}. Raise its max.message.bytes.`,
    );
  if (configured.get('cleanup.policy') !== 'delete')
    throw new SetupError(
      `The topic ${topic} has the cleanup.policy "${configured.get('cleanup.policy')}"; it must be "delete", or events are lost on it.`,
    );
  return { retentionMilliseconds: Number(configured.get('retention.ms')) };
}

export async function partitionsOf(admin: Admin, topic: string): Promise<number> {
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  return metadata.topics[0]?.partitions.length ?? 0;
}
