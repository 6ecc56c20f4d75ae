/** A broker that wants TLS and a user: what is set up wrong is said with what to set, and what is right runs the path. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SetupError } from '#shared/errors/setup-error.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { makeCertificate } from '#shared/testing/certificate.ts';
import { type Broker, startBroker } from '#shared/testing/kafka/broker.ts';
import type { KafkaSettings } from '#shared/transport/kafka/client.ts';
import { connectKafka } from '#shared/transport/kafka/connect.ts';
import { compareWithOracle } from '../support/compare.ts';
import { startSystem } from '../support/system.ts';
import { runWorkload } from '../support/workload.ts';

const user = { user: 'mint', password: 's3cret-of-mint' };
let broker: Broker;
let folder: string;
let made: Awaited<ReturnType<typeof makeCertificate>>;
const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-kafka-tls-'));
  made = await makeCertificate({ folder });
  await makeCertificate({ folder, name: 'other' });
  await writeFile(file('password'), `${user.password}\n`);
  await writeFile(file('wrong'), 'wr0ng-password');
  broker = await startBroker({ secure: { ...made, ...user } });
}, 60_000);
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const topic = { topic: 'cool-mint.events', partitions: 3, retentionHours: 1, replicationFactor: 1 };
const right = (): KafkaSettings => ({
  brokers: broker.secureAddress as string,
  tlsCaFile: file('ca.pem'),
  saslMechanism: 'scram-sha-256',
  saslUsername: user.user,
  saslPasswordFile: file('password'),
});

async function refusal(settings: Partial<KafkaSettings>): Promise<string> {
  const error = await connectKafka(
    { ...right(), ...settings, ...topic },
    pino({ level: 'silent' }),
    systemRuntime,
  ).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SetupError);
  expect((error as Error).message).not.toMatch(/s3cret|wr0ng/);
  return (error as Error).message;
}

describe('at start', { timeout: 60_000 }, () => {
  test('a wrong password', async () => {
    expect(await refusal({ saslPasswordFile: file('wrong') })).toMatch(
      /refuses the user or password.*KAFKA_SASL_USERNAME/,
    );
  });

  test('a mechanism that the broker does not offer', async () => {
    expect(await refusal({ saslMechanism: 'scram-sha-512' })).toMatch(/KAFKA_SASL_MECHANISM/);
  });

  test('a certificate of an unknown authority', async () => {
    expect(await refusal({ tlsCaFile: file('other.pem') })).toMatch(/not trusted.*KAFKA_TLS_CA_FILE/);
    expect(await refusal({ tlsCaFile: undefined, tls: true })).toMatch(/not trusted.*KAFKA_TLS_CA_FILE/);
  });

  test('plaintext to a port that wants TLS, and TLS without a user', async () => {
    const nobody = { saslMechanism: undefined, saslUsername: undefined, saslPasswordFile: undefined };
    expect(await refusal({ ...nobody, tlsCaFile: undefined })).toMatch(/hangs up.*KAFKA_TLS_CA_FILE/);
    expect(await refusal(nobody)).toMatch(/hangs up.*KAFKA_SASL_MECHANISM/);
  });

  test('TLS to a port that has none', async () => {
    expect(await refusal({ brokers: broker.address })).toMatch(/does not speak TLS on this port/);
  });

  test('a broker that is away', async () => {
    expect(await refusal({ brokers: '127.0.0.1:1' })).toMatch(/no broker answers.*Start it/);
  });

  test('settings that make no sense', async () => {
    expect(await refusal({ brokers: 'localhost' })).toMatch(/"localhost" is not host:port/);
    expect(await refusal({ saslUsername: undefined })).toMatch(/belong together/);
    expect(await refusal({ saslPasswordFile: file('none') })).toMatch(/KAFKA_SASL_PASSWORD_FILE.*cannot be read/);
  });
});

test.each(['scram-sha-256', 'scram-sha-512', 'plain'])(
  'with TLS and %s the whole path runs',
  async (mechanism) => {
    // A user has one kind of password there.
    await using own =
      mechanism === 'scram-sha-512'
        ? await startBroker({ secure: { ...made, ...user, scram: 'SCRAM-SHA-512' } })
        : null;
    await using system = await startSystem({
      kafka: { brokers: (own ?? broker).secureAddress as string, topic: `cool-mint.${mechanism}` },
      env: () => ({
        KAFKA_TLS_CA_FILE: file('ca.pem'),
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: user.user,
        KAFKA_SASL_PASSWORD_FILE: file('password'),
      }),
    });
    const api = await system.api({ tenant: 'acme', headers: { Prefer: 'wait=30' } });
    await runWorkload(api, { seed: 7, rounds: 6, tasks: 30 });
    expect(await compareWithOracle(system)).toEqual([]);
  },
  90_000,
);
