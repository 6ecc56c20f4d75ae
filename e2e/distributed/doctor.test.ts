/** What the doctor says of servers that are set up wrong, or away: a broker, a Redis, an EventStoreDB, a pooler. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Group } from '#cli/doctor/check.ts';
import { ensureLocalIssuer, issueToken } from '#shared/access/local-issuer.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { makeCertificate } from '#shared/testing/certificate.ts';
import { startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { startBroker } from '#shared/testing/kafka/broker.ts';
import { startPgBouncer } from '#shared/testing/pgbouncer.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { testEventStore } from '#shared/testing/test-event-store.ts';
import { testKafka } from '#shared/testing/test-kafka.ts';
import { coolMint, jsonLines } from '../support/cool-mint.ts';
import { type System, startSystem } from '../support/system.ts';

type Line = { readonly group: Group; readonly check: string; readonly status: string; readonly text: string };

const password = 's3cret-of-mint';
const nothing = Object.fromEntries(
  ['EVENTSTORE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'DATABASE_URL', 'MINT_URL', 'MINT_TOKEN'].map((name) => [name, '']),
);
let folder: string;
let redis: RedisServer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-doctor-'));
  redis = await startRedisServer({ password });
});
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A process each, as the client of EventStoreDB wants it. */
async function examined(environment: Readonly<Record<string, string>>, only?: string) {
  const { code, out, err } = await coolMint(['doctor', '--json', ...(only ? ['--only', only] : [])], {
    ...nothing,
    DATA_DIR: path.join(folder, 'none'),
    ...environment,
  });
  expect(err).toBe('');
  expect(out).not.toContain(password);
  const lines = jsonLines(out) as unknown as (Line & { advice: string | null })[];
  expect(code).toBe(lines.some(({ status }) => status === 'failed') ? 1 : 0);
  return {
    lines,
    of(group: Group, check: string): readonly [string, string] {
      const found = lines.find((line) => line.group === group && line.check === check);
      if (!found) throw new Error(`no check "${check}" in ${group}`);
      return [found.status, `${found.text} ${found.advice ?? ''}`];
    },
  };
}
const told = (text: RegExp) => expect.stringMatching(text);

describe('beside services on EventStoreDB, Kafka and Redis', { timeout: 60_000 }, () => {
  const [eventStore, kafka] = [testEventStore(), testKafka()];
  const other = `test.${randomUUID().slice(0, 8)}.`;
  let system: System;
  let environment: Record<string, string>;
  let admin: ReturnType<Kafka['admin']>;

  beforeAll(async () => {
    // Another installation on the same server; a process has one client at a time.
    const log = await eventStoreLog({ url: eventStore?.url as string, prefix: other });
    await log.append([{ stream: `selection-${randomUUID()}`, expected: 'none', events: [newEvent('acme')] }]);
    await log.close();
    system = await startSystem({ eventStore, kafka, env: () => ({ REDIS_URL: redis.url }) });
    await (await system.api('acme')).post('/api/v1/selections', { name: 'one', purpose: 'doctor' });
    await system.settle();
    environment = {
      DATA_DIR: system.dataDir,
      DATABASE_URL: system.database.url,
      EVENTSTORE_URL: eventStore?.url as string,
      EVENTSTORE_STREAM_PREFIX: eventStore?.prefix as string,
      KAFKA_BROKERS: kafka?.brokers as string,
      KAFKA_TOPIC: kafka?.topic as string,
      REDIS_URL: redis.url,
      MINT_URL: system.machine.url,
      MINT_TOKEN: await issueToken(system.dataDir, { tenant: 'acme', actor: 'ann', hours: 1 }),
    };
    admin = new Kafka({ brokers: [kafka?.brokers as string], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    await admin?.disconnect();
    await system?.[Symbol.asyncDispose]();
  });

  test('nothing fails, and every server is looked at', async () => {
    const { lines, of } = await examined(environment);
    expect(lines.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(of('log', 'reachable')).toEqual(['ok', told(/EventStoreDB at 127.*, prefix test\..*, version \d+\.\d+/)]);
    expect(of('log', 'log of the views')[0]).toBe('ok');
    expect(of('broker', 'topic')).toEqual(['ok', told(/: 6 partitions, 1 replica each, kept for 168 hours/)]);
    expect(of('broker', 'readers')).toEqual(['ok', told(/catalog.*audit.*operations has members/)]);
    expect(of('broker', 'relay')).toEqual(['ok', told(/epoch \d+ leads/)]);
    expect(of('cache', 'reachable')).toEqual(['ok', told(/version \d/)]);
    expect(of('cache', 'progress')).toEqual(['ok', told(/each second/)]);
    // A machine that is busy with tests may be slow to connect, which is a warning.
    for (const setting of ['DATABASE_URL', 'EVENTSTORE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'MINT_URL'])
      expect(lines.find(({ group, check }) => group === 'network' && check.startsWith(setting))?.status).toMatch(
        /^(ok|warning)$/,
      );
    expect(system.errors).toEqual([]);
  });

  test('a topic that is not there, and is not made; and nobody reads it', async () => {
    const { of } = await examined({ ...environment, KAFKA_TOPIC: 'cool-mint.none' }, 'broker');
    expect(of('broker', 'topic')).toEqual(['failed', told(/The topic cool-mint\.none is not there.*KAFKA_TOPIC/)]);
    expect(of('broker', 'readers')).toEqual([
      'failed',
      told(/Nobody reads the topic for cool-mint\.none\.(\w+\.)?catalog/),
    ]);
    expect(await admin.listTopics()).not.toContain('cool-mint.none');
  });

  test('a topic that would lose events, and one that does not take all of them', async () => {
    const leader = async (topic: string) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }));
      return topics[0]?.partitions[0]?.leader ?? -1;
    };
    const make = async (topic: string, name: string, value: string) => {
      await admin.createTopics({
        topics: [{ topic, numPartitions: 1, configEntries: [{ name, value }] }],
        waitForLeaders: false,
      });
      await expect.poll(() => leader(topic), { timeout: 10_000 }).toBeGreaterThanOrEqual(0);
    };
    await make('cool-mint.compact', 'cleanup.policy', 'compact');
    await make('cool-mint.small', 'max.message.bytes', '1000');
    const compact = await examined({ ...environment, KAFKA_TOPIC: 'cool-mint.compact' }, 'broker');
    expect(compact.of('broker', 'topic')).toEqual(['failed', told(/cleanup\.policy "compact"; it must be "delete"/)]);
    const small = await examined({ ...environment, KAFKA_TOPIC: 'cool-mint.small' }, 'broker');
    expect(small.of('broker', 'topic')).toEqual(['failed', told(/messages of 1000 bytes.*max\.message\.bytes/)]);
  });

  test('the log of another installation, and a prefix that has none; and none is made', async () => {
    const foreign = await examined({ ...environment, EVENTSTORE_STREAM_PREFIX: other }, 'log');
    expect(foreign.of('log', 'log of the views')).toEqual([
      'failed',
      told(/restored or exchanged.*EVENTSTORE_STREAM_PREFIX/),
    ]);
    const empty = { ...environment, EVENTSTORE_STREAM_PREFIX: `test.${randomUUID().slice(0, 8)}.` };
    for (let time = 0; time < 2; time++) {
      const { of } = await examined(empty, 'log');
      expect(of('log', 'reachable')).toEqual(['ok', told(/has no log of ours yet/)]);
      expect(of('log', 'log of the views')).toEqual(['failed', told(/there is no log of ours.*restore/)]);
    }
  });

  test('a Redis that wants a password, has another one, refuses writes when it is full, or is away', async () => {
    const at = async (url: string, check = 'reachable') =>
      (await examined({ ...environment, REDIS_URL: url }, 'cache')).of('cache', check);
    expect(await at(`redis://127.0.0.1:${redis.port}`)).toEqual(['failed', told(/asks for a password/)]);
    expect(await at(`redis://:wr0ng@127.0.0.1:${redis.port}`)).toEqual([
      'failed',
      told(/refuses the user or password/),
    ]);
    expect(await at(`redis://127.0.0.1:${await freePort()}`)).toEqual([
      'failed',
      told(/does not answer .*each process caches for itself/),
    ]);
    redis.pause();
    expect(await at(redis.url)).toEqual(['failed', told(/does not answer/)]);
    redis.resume();
    // Nobody tells that database how far they are.
    expect(await at(`${redis.url}/7`, 'progress')).toEqual(['warning', told(/No projector has told this Redis/)]);
    await redis.command('config', 'set', 'maxmemory', '100mb');
    expect(await at(redis.url, 'memory')).toEqual(['warning', told(/noeviction.*allkeys-lru/)]);
    await redis.command('config', 'set', 'maxmemory', '0');
  });
});

describe('without a service', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  test('a relay that never was, one that has ended, and nobody who reads, are warnings', async () => {
    const environment = { DATABASE_URL: database.url, KAFKA_BROKERS: inject('kafkaBrokers') };
    const never = await examined(environment, 'broker');
    expect(never.of('broker', 'relay')).toEqual(['warning', told(/No relay has ever sent/)]);
    expect(never.of('broker', 'readers')).toEqual(['warning', told(/Start a projector/)]);
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      "insert into projector.relay (id, owner, epoch, expires_at) values (1, gen_random_uuid(), 5, now() - interval '1 minute')",
    );
    await client.end();
    expect((await examined(environment, 'broker')).of('broker', 'relay')).toEqual([
      'warning',
      told(/No relay leads: the lease of the last one \(epoch 5\) has ended/),
    ]);
  });

  test('a broker that is away', async () => {
    const { of } = await examined({ KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }, 'broker,network');
    expect(of('broker', 'reachable')).toEqual(['failed', told(/no broker answers.*Start it/)]);
    expect(of('broker', 'topic')).toEqual(['skipped', told(/the broker cannot be used/)]);
  });

  test('a broker whose certificate has expired, one whose certificate ends soon, and a wrong password', async () => {
    const user = { user: 'mint', password };
    const old = await makeCertificate({ folder, name: 'old', days: -2 });
    const soon = await makeCertificate({ folder, name: 'soon', days: 5 });
    await writeFile(path.join(folder, 'password'), password);
    await writeFile(path.join(folder, 'wrong'), 'wr0ng-password');
    const settings = (address: string | null, ca: string, file: string) => ({
      KAFKA_BROKERS: address as string,
      KAFKA_TLS_CA_FILE: ca,
      KAFKA_SASL_MECHANISM: 'scram-sha-256',
      KAFKA_SASL_USERNAME: user.user,
      KAFKA_SASL_PASSWORD_FILE: path.join(folder, file),
    });
    {
      await using broker = await startBroker({ secure: { ...old, ...user } });
      const { of } = await examined(settings(broker.secureAddress, old.caFile, 'password'), 'broker,network');
      expect(of('broker', 'reachable')).toEqual(['failed', told(/not valid now \(it has expired\)\. Renew it/)]);
      expect(of('network', `KAFKA_BROKERS ${broker.secureAddress} certificate`)).toEqual([
        'failed',
        told(/its certificate has expired, on 20/),
      ]);
    }
    await using broker = await startBroker({ secure: { ...soon, ...user } });
    const right = await examined(settings(broker.secureAddress, soon.caFile, 'password'), 'broker,network');
    expect(right.of('broker', 'reachable')[0]).toBe('ok');
    expect(right.of('network', `KAFKA_BROKERS ${broker.secureAddress} certificate`)).toEqual([
      'warning',
      told(/in 4 days|in 5 days/),
    ]);
    const wrong = await examined(settings(broker.secureAddress, soon.caFile, 'wrong'), 'broker');
    expect(wrong.of('broker', 'reachable')).toEqual([
      'failed',
      told(/refuses the user or password.*KAFKA_SASL_USERNAME/),
    ]);
    const unknown = await examined(settings(broker.secureAddress, old.caFile, 'password'), 'network');
    expect(unknown.of('network', `KAFKA_BROKERS ${broker.secureAddress} certificate`)).toEqual([
      'failed',
      told(/its certificate is not trusted\. .*old\.pem is not the authority that signed it/),
    ]);
  });

  test('an EventStoreDB that is away, one that is frozen, one that refuses; in bounded time', async () => {
    const base = { DATABASE_URL: database.url };
    const away = await examined({ ...base, EVENTSTORE_URL: `esdb://127.0.0.1:${await freePort()}?tls=false` }, 'log');
    expect(away.of('log', 'reachable')).toEqual(['failed', told(/EVENTSTORE_URL: .*does not answer.*Start it/)]);
    expect(away.of('log', 'end')).toEqual(['skipped', told(/the event log cannot be used/)]);
    const tls = await makeCertificate({ folder, name: 'eventstore' });
    await using double = await startEventStoreDouble({ tls, credentials: { username: 'admin', password: 'right' } });
    const url = double.url.replace('://', `://admin:${password}@`);
    expect((await examined({ ...base, EVENTSTORE_URL: url }, 'log')).of('log', 'reachable')).toEqual([
      'failed',
      told(/refuses the user or password/),
    ]);
    double.freeze();
    const begun = performance.now();
    expect((await examined({ ...base, EVENTSTORE_URL: url }, 'log')).of('log', 'reachable')[0]).toBe('failed');
    expect(performance.now() - begun).toBeLessThan(30_000);
    double.thaw();
  });

  test('a pooler without the way past it, and one on the way past it', async () => {
    await using bouncer = await startPgBouncer(inject('postgresUrl'));
    const pooled = bouncer.urlOf(database.url);
    const alone = await examined({ DATABASE_URL: pooled }, 'database');
    expect(alone.of('database', 'reachable')).toEqual([
      'failed',
      told(/connection pooler answers.*DATABASE_DIRECT_URL/),
    ]);
    const past = await examined({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: database.url }, 'database');
    expect(past.of('database', 'reachable')).toEqual(['ok', told(/through a pooler/)]);
    expect(past.of('database', 'sessions')[0]).toBe('ok');
    const both = await examined({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: pooled }, 'database');
    expect(both.of('database', 'sessions')).toEqual(['warning', told(/leads to a pooler, too/)]);
  });

  test('keys of this machine and a service that has others', async () => {
    await using system = await startSystem({ eventStore: null, kafka: null });
    const dataDir = path.join(folder, 'other-keys');
    await ensureLocalIssuer(dataDir);
    const { of } = await examined(
      {
        DATA_DIR: dataDir,
        DATABASE_URL: system.database.url,
        MINT_URL: system.machine.url,
        MINT_TOKEN: await issueToken(dataDir, { tenant: 'acme', actor: 'ann', hours: 1 }),
      },
      'authentication',
    );
    expect(of('authentication', 'a token')).toEqual(['failed', told(/MINT_TOKEN is refused/)]);
  });
});
