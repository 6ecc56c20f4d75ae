import type { Admin } from 'kafkajs';
import type { Pool } from 'pg';
import { type Check, type Finding, failed, ok, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { motionTo } from '#cli/doctor/moving.ts';
import { projections } from '#projector/projections.ts';
import { logIdOf } from '#shared/event-log/position.ts';
import { groupIdOf } from '#shared/transport/kafka/group-id.ts';
import { checkTopic } from '#shared/transport/kafka/topic.ts';

const group = 'broker';
const hourMilliseconds = 3_600_000;

export function brokerChecks({ config, foundBroker, broker, migrated, atWork, log }: Installation): Check[] {
  /** What does not run is only worth a warning while nothing runs. */
  async function missing(text: string, advice: string): Promise<Finding> {
    return (await atWork().catch(() => false)) ? failed(text, advice) : warning(text, advice);
  }
  return [
    {
      group,
      name: 'reachable',
      async run() {
        const admin = await foundBroker();
        const { brokers } = await admin.describeCluster();
        return ok(`${brokers.length} at ${brokers.map(({ host, port }) => `${host}:${port}`).join(', ')}`);
      },
    },
    {
      group,
      name: 'topic',
      async run() {
        const [admin, { KAFKA_TOPIC: topic }] = [await broker(), await config()];
        if (!(await admin.listTopics()).includes(topic))
          return missing(
            `The topic ${topic} is not there.`,
            'A relay or projector makes it at its start: start one. Check KAFKA_TOPIC, and whether the user may create topics.',
          );
        const { retentionMilliseconds } = await checkTopic(admin, topic);
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        const partitions = topics[0]?.partitions ?? [];
        const leaderless = partitions.filter(({ leader }) => leader < 0).length;
        if (leaderless > 0)
          return failed(
            `${leaderless} of ${partitions.length} partitions of ${topic} have no leader.`,
            'Start the brokers that hold them.',
          );
        const behind = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length;
        const replicas = Math.min(...partitions.map((one) => one.replicas.length));
        const { brokers } = await admin.describeCluster();
        const text = `${topic}: ${partitions.length} partitions, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'} each, kept for ${Math.round(retentionMilliseconds / hourMilliseconds)} hours`;
        if (behind > 0)
          return warning(
            `${text}; replicas of ${behind} partitions are behind.`,
            'Look at the brokers: one is away, or slow.',
          );
        if (replicas === 1 && brokers.length > 1)
          return warning(
            `${text}, on ${brokers.length} brokers: when the one that holds a partition fails, its views stand still.`,
            'Raise the replication of the topic with kafka-reassign-partitions; KAFKA_REPLICATION_FACTOR is for one that is made.',
          );
        return ok(text);
      },
    },
    {
      group,
      name: 'readers',
      async run() {
        const [admin, set] = [await broker(), await config()];
        const { id } = await log();
        const names = projections.map(({ name }) => groupIdOf(set.KAFKA_TOPIC, id, name));
        const idle = await idleGroups(admin, names);
        if (idle.length === 0) return ok(`each of ${names.join(', ')} has members`);
        return missing(
          `Nobody reads the topic for ${idle.join(', ')}: these groups have no members.`,
          'Start a projector (npx cool-mint start projector), or look at the log of the one that runs.',
        );
      },
    },
    {
      group,
      name: 'relay',
      async run() {
        await broker();
        const pool = await migrated();
        const lease = await relayLease(pool);
        const none = 'Start a projector, or a relay alone: npx cool-mint start projector --only relay';
        if (!lease) return missing('No relay has ever sent the log to the topic.', none);
        if (!lease.alive)
          return missing(`No relay leads: the lease of the last one (epoch ${lease.epoch}) has ended.`, none);
        const events = await log();
        const head = await events.head();
        if (lease.position !== null && logIdOf(lease.position) !== events.id)
          return failed(
            `The relay sends log ${logIdOf(lease.position)}, the settings lead to log ${events.id}.`,
            'Give all processes the same EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX, and restart the relay.',
          );
        const motion = await motionTo(head, async () => (await relayLease(pool))?.position ?? '');
        return motion === 'standing'
          ? failed(
              `The relay holds its lease (epoch ${lease.epoch}), and does not move: it stands at ${lease.position ?? 'the beginning'}, the log reaches ${head}.`,
              'Look at its log, and at /health/ready of its process.',
            )
          : ok(
              `epoch ${lease.epoch} leads, ${motion === 'there' ? 'all is sent' : 'behind the end of the log, and moving'}`,
            );
      },
    },
  ];
}

/** Those of the groups that have no member now. */
async function idleGroups(admin: Admin, names: string[]): Promise<string[]> {
  const { groups } = await admin.describeGroups(names);
  const busy = new Set(groups.filter(({ members }) => members.length > 0).map(({ groupId }) => groupId));
  return names.filter((name) => !busy.has(name));
}

async function relayLease(pool: Pool): Promise<{ epoch: string; alive: boolean; position: string | null } | null> {
  const { rows } = await pool.query<{ epoch: string; alive: boolean; position: string | null }>(
    'select epoch, owner is not null and expires_at > now() as alive, position from projector.relay where id = 1',
  );
  return rows[0] ?? null;
}
