/** What keeps an EventStoreDB from being used is said at start: which setting, which server, what to do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SetupError } from '#shared/errors/setup-error.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { makeCertificate } from '#shared/testing/certificate.ts';
import { startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';

let folder: string;
let caFile: string;
let tls: { cert: string; key: string };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-tls-'));
  ({ caFile, ...tls } = await makeCertificate({ folder }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function refusal(url: string): Promise<string> {
  const error = await eventStoreLog({ url }).then(
    async (log) => {
      await log.close();
      return null;
    },
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SetupError);
  expect((error as Error).message).not.toContain('s3cret');
  return (error as Error).message;
}

const secure = (port: number, more = '') => `esdb://admin:s3cret@127.0.0.1:${port}?tls=true${more}`;
const trusted = () => `&tlsCAFile=${encodeURIComponent(caFile)}`;

describe('at start', () => {
  test('a server that is away', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    expect(await refusal(`esdb://127.0.0.1:${port}?tls=false`)).toMatch(
      new RegExp(`^EVENTSTORE_URL: .*127.0.0.1:${port}.*does not answer.*ECONNREFUSED.*Start it`),
    );
    expect(await refusal(secure(port))).toMatch(/does not answer/);
  });

  test('a host that nobody knows', async () => {
    expect(await refusal('esdb://no-such-host.invalid:2113?tls=false')).toMatch(
      /no-such-host\.invalid:2113 cannot be used.*(does not answer|Name resolution)/,
    );
  });

  test('a cluster that cannot be discovered', async () => {
    expect(await refusal('esdb+discover://127.0.0.1:1?tls=false&maxDiscoverAttempts=2')).toMatch(
      /127\.0\.0\.1:1 cannot be used.*discover/,
    );
  });

  test('TLS where the server has none', async () => {
    await using double = await startEventStoreDouble();
    expect(await refusal(secure(double.port))).toMatch(/does not speak TLS.*tls=false/);
  });

  test('no TLS where the server wants it', async () => {
    await using double = await startEventStoreDouble({ tls });
    expect(await refusal(`esdb://127.0.0.1:${double.port}?tls=false`)).toMatch(/probably wants TLS/);
  });

  test('a certificate that is not trusted', async () => {
    await using double = await startEventStoreDouble({ tls });
    expect(await refusal(secure(double.port))).toMatch(/certificate is not trusted.*tlsCAFile=/);
  });

  test('a certificate that has expired, and one of another host', async () => {
    for (const [made, told] of [
      [await makeCertificate({ folder, name: 'old', days: -1 }), /is not valid now \(it has expired\)\. Renew it/],
      [await makeCertificate({ folder, name: 'other', host: 'other.example' }), /is of another host/],
    ] as const) {
      await using double = await startEventStoreDouble({ tls: made });
      expect(await refusal(secure(double.port, `&tlsCAFile=${encodeURIComponent(made.caFile)}`))).toMatch(told);
    }
  });

  test('a file of the authority that is not there', async () => {
    expect(await refusal(secure(2113, '&tlsCAFile=/nowhere/ca.pem'))).toMatch(/^EVENTSTORE_URL.*tlsCAFile/);
  });

  test('wrong credentials, and none', async () => {
    await using double = await startEventStoreDouble({ tls, credentials: { username: 'admin', password: 'right' } });
    expect(await refusal(secure(double.port, trusted()))).toMatch(/refuses the user or password/);
    expect(await refusal(`esdb://127.0.0.1:${double.port}?tls=true${trusted()}`)).toMatch(/wants credentials/);
  });

  test('something else that listens there', async () => {
    const web = createHttpServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => web.once('listening', resolve));
    expect(await refusal(`esdb://127.0.0.1:${(web.address() as AddressInfo).port}?tls=false`)).toMatch(
      /cannot be used: it hangs up/,
    );
    web.closeAllConnections();
    await new Promise((resolve) => web.close(resolve));
  });

  test('a stream of the identity that is somebody else’s', async () => {
    await using double = await startEventStoreDouble();
    const { EventStoreDBClient, jsonEvent } = await import('@eventstore/db-client');
    const client = EventStoreDBClient.connectionString(double.url);
    await client.appendToStream('eventlog-identity', jsonEvent({ type: 'Other', data: { id: 'not ours' } }));
    await client.dispose();
    expect(await refusal(double.url)).toMatch(/eventlog-identity.*not ours.*EVENTSTORE_STREAM_PREFIX/);
  });
});

test('with TLS and credentials in the URL the log is opened, and its identity stays', async () => {
  await using double = await startEventStoreDouble({ tls, credentials: { username: 'admin', password: 's3cret' } });
  const url = secure(double.port, trusted());
  const first = await eventStoreLog({ url });
  const second = await refusal(url);
  expect(second).toMatch(/connected to an EventStoreDB already/);
  await first.close();
  const again = await eventStoreLog({ url });
  expect(again.id).toBe(first.id);
  await again.close();
  const other = await eventStoreLog({ url, prefix: 'staging.' });
  expect(other.id).not.toBe(first.id);
  await other.close();
});

test.each(['not-ready', 'not-leader', 'cut-before'] as const)(
  'a server that is %s for a moment is asked again',
  async (kind) => {
    await using double = await startEventStoreDouble();
    for (const nth of [1, 2]) double.inject({ on: 'read', nth, kind });
    const log = await eventStoreLog({ url: double.url });
    expect(double.waitingFaults()).toBe(0);
    await log.close();
  },
);
