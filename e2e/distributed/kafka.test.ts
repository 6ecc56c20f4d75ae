/**
 * What Kafka, the relay and the readers must not do to the read models, whatever happens on the way: partitions that
 * are added, records that are lost, doubled or in another order, a topic that was emptied, two relays that lead at once.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectorMetrics } from '#projector/metrics.ts';
import { type Relay, startRelay } from '#projector/start-relay.ts';
import { random } from '#shared/demo/random.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { kafkaMetrics } from '#shared/transport/kafka/metrics.ts';
import { kafkaPublisher, type Publisher } from '#shared/transport/kafka/publisher.ts';
import { recordOf, recordOfWatermark } from '#shared/transport/kafka/record.ts';
import { slotOf } from '#shared/transport/slot.ts';
import type { Api } from '../support/api.ts';
import { compareWithOracle } from '../support/compare.ts';
import { type System, startSystem } from '../support/system.ts';
import { runWorkload, seedOf } from '../support/workload.ts';

const seed = 20_261_122;
const tenants = ['acme', 'globex', 'initech', 'umbrella', 'hooli'];
const logger = pino({ level: 'silent' });

const { brokers, topic } = testKafka() as TestKafka;
let kafka: Kafka;
let admin: Admin;
let system: System;
let rounds = 0;
/** Milliseconds before each send of the system's own relay. */
let relayDelay = () => 0;

beforeAll(async () => {
  kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
  system = await startSystem({ kafka: { brokers, topic }, relayPace: () => wait(relayDelay()) });
}, 60_000);
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await admin?.disconnect();
});

/** Every tenant does something; other data each time. */
async function work(amount: number): Promise<void> {
  const now = seed + ++rounds;
  await Promise.all(
    tenants.map(async (tenant, index) => {
      // A reader that has just joined its group takes a while.
      const api: Api = await system.api({ tenant, headers: { Prefer: 'wait=30' } });
      await runWorkload(api, { seed: seedOf(now, index), rounds: amount, tasks: 60 });
    }),
  );
}

const counted = async (metric: { get(): Promise<{ values: readonly { value: number }[] }> }) =>
  (await metric.get()).values.reduce((sum, { value }) => sum + value, 0);
const offsets = async () => (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);

describe('through Kafka', () => {
  test('rows equal the oracle, and what is read came over the topic', { timeout: 90_000 }, async () => {
    await work(12);
    expect(await compareWithOracle(system)).toEqual([]);
    expect(await offsets()).toBeGreaterThan((await system.events()).length);
    expect(await counted(projectorMetrics.gaps)).toBe(0);
  });

  test('partitions that are added while it works lose and double nothing', { timeout: 120_000 }, async () => {
    const working = work(16);
    await admin.createPartitions({ topicPartitions: [{ topic, count: 9 }] });
    await working;
    // The relay sends to them as soon as its client knows them.
    await expect
      .poll(
        async () => {
          await work(1);
          return (await admin.fetchTopicOffsets(topic)).filter(
            ({ partition, high }) => partition >= 6 && Number(high) > 0,
          ).length;
        },
        { timeout: 60_000 },
      )
      .toBe(3);
    expect(await compareWithOracle(system)).toEqual([]);
  });

  test('what the topic lost, doubled and exchanged is noticed, made good, and counted', {
    timeout: 120_000,
  }, async () => {
    const draw = random(seed);
    const before = { gaps: await counted(projectorMetrics.gaps), twice: await counted(projectorMetrics.duplicates) };
    const honest = await kafkaPublisher(kafka, topic, systemRuntime);
    const lying: Publisher = {
      ...honest,
      get partitions() {
        return honest.partitions;
      },
      async publish(records) {
        const scrambled = [...records].map(([partition, some]) => {
          const kept = some.filter(() => !draw.chance(0.15)).flatMap((one) => (draw.chance(0.2) ? [one, one] : [one]));
          return [partition, draw.chance(0.3) ? kept.reverse() : kept] as const;
        });
        await honest.publish(new Map(scrambled.filter(([, some]) => some.length > 0)));
      },
    };
    await withRelay(lying, () => work(12));
    expect(await compareWithOracle(system)).toEqual([]);
    expect(await counted(projectorMetrics.gaps)).toBeGreaterThan(before.gaps);
    expect(await counted(projectorMetrics.duplicates)).toBeGreaterThan(before.twice);
    await honest.close();
  });

  test.each(['00000000', 'ffffffff'])(
    'what log %s left on the topic, or an installation that shares it sends there, is nobody of ours',
    { timeout: 120_000 },
    async (other) => {
      const foreign = await counted(kafkaMetrics.foreign);
      const publisher = await kafkaPublisher(kafka, topic, systemRuntime);
      const at = (number: number) => positionOf(other, number, number);
      const send = (number: number) => {
        const tenant = tenants[number % tenants.length] as string;
        const slot = slotOf(tenant);
        const event = { ...newEvent(tenant), stream: `selection-${randomUUID()}`, revision: 0, position: at(number) };
        const previous = new Map([[slot, at(number)]]);
        return publisher.publish(
          new Map([
            [
              slot % publisher.partitions,
              [
                recordOf({ slot, previous: at(number - 1), ordinal: number, event }, 1_000),
                recordOfWatermark({ position: at(number), time: null, previous }, 1_000),
              ],
            ],
          ]),
        );
      };
      const sent = (async () => {
        for (let number = 1; number <= 50; number++) await send(number);
      })();
      await work(3);
      await sent;
      await work(1);
      expect(await compareWithOracle(system)).toEqual([]);
      // Two records each, seen by three readers.
      await expect.poll(async () => (await counted(kafkaMetrics.foreign)) - foreign, { timeout: 20_000 }).toBe(300);
      await publisher.close();
    },
  );

  test('what the client does not know where to put is not taken for sent', async () => {
    const publisher = await kafkaPublisher(kafka, topic, systemRuntime);
    const mark = recordOfWatermark({ position: positionOf('0000000a', 1), time: null, previous: new Map() }, 1);
    const before = await offsets();
    await expect(
      publisher.publish(
        new Map([
          [0, [mark]],
          [60, [mark]],
        ]),
      ),
    ).rejects.toThrow(/partition 60 of .* is not known to the client yet/);
    await publisher.publish(new Map([[0, [mark]]]));
    expect(await offsets()).toBeGreaterThanOrEqual(before + 2);
    await publisher.close();
  });

  test('a topic that retention emptied before it was read is made good from the log', {
    timeout: 120_000,
  }, async () => {
    const gaps = await counted(projectorMetrics.gaps);
    // Projections that cannot apply: what they read goes no further than their memory.
    const lock = await system.machine.pool.connect();
    await lock.query('begin; lock table projector.checkpoints in exclusive mode');
    const api = await system.api('acme');
    for (let index = 0; index < 40; index++) await api.ok(api.post('/selections', { name: `lost ${index}` }), 201);
    const now = await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: now.map(({ partition, high }) => ({ partition, offset: high })),
    });
    await lock.query('rollback');
    lock.release();
    await system.settle();
    expect(await counted(projectorMetrics.gaps)).toBeGreaterThan(gaps);
    expect(await compareWithOracle(system)).toEqual([]);
    // And what is sent to another topic never comes on this one.
    await system.restart({ KAFKA_TOPIC: `${topic}.elsewhere` });
    await work(4);
    await system.restart({ KAFKA_TOPIC: topic });
    await work(4);
    expect(await compareWithOracle(system)).toEqual([]);
  });

  test('twenty rounds of two relays that lead at once: the losers are counted, the rows are right', {
    timeout: 180_000,
  }, async () => {
    let roundsWithLosers = 0;
    const publisher = await kafkaPublisher(kafka, topic, systemRuntime);
    for (let round = 0; round < 20; round++) {
      const { pool, log } = system.machine;
      const slow = random(seed, round);
      // So it has something under way when it loses.
      relayDelay = () => 150 + slow.below(250);
      await expect.poll(leader, { timeout: 20_000, interval: 20 }).toEqual(expect.any(String));
      const before = await leader();
      const losers = await counted(kafkaMetrics.losers);
      const other = startRelay({ pool, log, publisher, logger, runtime: systemRuntime });
      const working = work(1);
      await takeLead(other, before);
      await working;
      await other.stop();
      await system.settle();
      if ((await counted(kafkaMetrics.losers)) > losers) roundsWithLosers++;
    }
    relayDelay = () => 0;
    await publisher.close();
    expect(await compareWithOracle(system)).toEqual([]);
    console.info(
      `two relays at once: records of the loser came after the winner's in ${roundsWithLosers} of 20 rounds`,
    );
    // In the others the loser had nothing under way at that moment.
    expect(roundsWithLosers).toBeGreaterThanOrEqual(8);
  });

  test('from Kafka to the direct transport and back nothing is lost or doubled', { timeout: 120_000 }, async () => {
    await work(3);
    await system.restart({ KAFKA_BROKERS: '' });
    await work(5);
    expect(await compareWithOracle(system)).toEqual([]);
    await system.restart({ KAFKA_BROKERS: brokers });
    await work(5);
    expect(await compareWithOracle(system)).toEqual([]);
  });
});

const leader = async () =>
  (await system.machine.pool.query<{ owner: string | null }>('select owner from projector.relay')).rows[0]?.owner;

/** While the work goes on, the relay of the system is replaced by one with this publisher. */
async function withRelay(publisher: Publisher, during: () => Promise<void>): Promise<void> {
  const { pool, log } = system.machine;
  const before = await leader();
  const relay: Relay = startRelay({ pool, log, publisher, logger, runtime: systemRuntime });
  await takeLead(relay, before);
  await during();
  await relay.stop();
}

/**
 * Whoever leads is taken for dead, and does not know it; again and again, because it renews its lease now and then.
 */
async function takeLead(relay: Relay, from: string | null | undefined): Promise<void> {
  const { pool } = system.machine;
  await expect
    .poll(
      async () => {
        await pool.query('update projector.relay set expires_at = now() where owner = $1', [from]);
        return relay.status.state;
      },
      { timeout: 20_000, interval: 20 },
    )
    .toBe('leading');
}
