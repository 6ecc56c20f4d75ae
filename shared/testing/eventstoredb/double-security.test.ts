/** TLS, names and passwords, as the real client sees them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificate, makeCertificate } from '#shared/testing/certificate.ts';
import { anEvent, failureOf, idsOf } from './double-and-client.ts';
import { startEventStoreDouble } from './start-double.ts';

const user = { username: 'admin', password: 'changeit' };
let folder: string;
let tls: Certificate;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'double-tls-'));
  tls = await makeCertificate({ folder });
});
afterAll(() => rm(folder, { recursive: true }));

/** A client of a double that wants the user, with the name and password given or none. */
async function withClient(
  credentials: { username: string; password: string } | undefined,
  use: (client: EventStoreDBClient) => Promise<void>,
): Promise<void> {
  await using double = await startEventStoreDouble({ tls, credentials: user });
  const login = credentials ? `${credentials.username}:${credentials.password}@` : '';
  const client = EventStoreDBClient.connectionString(double.url.replace('://', `://${login}`));
  try {
    await use(client);
  } finally {
    await client.dispose();
  }
}

test('with the right name and password everything works over TLS', async () => {
  await withClient(user, async (client) => {
    await client.appendToStream('a', anEvent());
    await client.appendToStream('a', anEvent(), { credentials: user });
    expect(await idsOf(client, 'a')).toHaveLength(2);
  });
});

test('with a wrong password calls are refused', async () => {
  await withClient({ ...user, password: 'wrong' }, async (client) => {
    const refused = { type: 'access-denied', code: 16 };
    expect(await failureOf(client.appendToStream('a', anEvent()))).toMatchObject(refused);
    expect(await failureOf(idsOf(client, 'a'))).toMatchObject(refused);
  });
});

test('without name and password appends are answered with a refusal, and reads are refused', async () => {
  await withClient(undefined, async (client) => {
    const answer = await failureOf(client.appendToStream('a', anEvent()));
    expect(answer).toMatchObject({ type: 'access-denied', code: undefined });
    expect(await failureOf(idsOf(client, 'a'))).toMatchObject({ type: 'access-denied', code: 7 });
  });
});

test('a client that does not know the certificate finds the server unavailable', async () => {
  const { cert, key } = tls;
  await using double = await startEventStoreDouble({ tls: { cert, key } });
  const client = EventStoreDBClient.connectionString(double.url);
  expect(await failureOf(client.appendToStream('a', anEvent(), { deadline: 500 }))).toMatchObject({ code: 14 });
  await client.dispose();
});

test('a connection over TLS can be cut and frozen too', async () => {
  await using double = await startEventStoreDouble({ tls });
  const client = EventStoreDBClient.connectionString(double.url);
  await client.appendToStream('a', anEvent());
  double.inject({ on: 'append', nth: 1, kind: 'frozen', durationMs: 100 });
  await client.appendToStream('a', anEvent());
  double.inject({ on: 'append', nth: 1, kind: 'cut-after' });
  expect(await failureOf(client.appendToStream('a', anEvent()))).toMatchObject({ code: 14 });
  await client.appendToStream('a', anEvent());
  expect(await idsOf(client, 'a')).toHaveLength(4);
  await client.dispose();
});
