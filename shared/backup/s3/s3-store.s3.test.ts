/** On a real server of the protocol, and as people use it: by the command. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupStoreContract } from '#shared/backup/contract.ts';
import { s3Store } from '#shared/backup/s3/s3-store.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { type S3Server, startS3Server } from '#shared/testing/s3-server.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { coolMint, jsonLines, signalWhen, startCoolMint } from '../../../e2e/support/cool-mint.ts';

const bucket = 'backups';
const credentials = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'hush' };
let server: S3Server;
const storeOf = (prefix: string) =>
  s3Store({ endpoint: server.endpoint, region: 'us-east-1' }, { bucket, prefix, signal: new AbortController().signal });

beforeAll(async () => {
  Object.assign(process.env, credentials);
  server = await startS3Server([bucket]);
}, 120_000);
afterAll(() => server[Symbol.asyncDispose]());

backupStoreContract('S3', async () => storeOf(`contract/${randomUUID()}`));

test('one prefix sees nothing of another, also of one that begins alike', async () => {
  const [one, alike] = [storeOf('house'), storeOf('household')];
  await alike.write('log/a', Buffer.from('a'));
  expect(await one.list()).toEqual([]);
  await one.write('log/b', Buffer.from('b'));
  expect(await alike.list()).toEqual([{ name: 'log/a', bytes: 1 }]);
});

describe('backup and restore by the command', { timeout: 120_000 }, () => {
  let database: TestDatabase;
  let target: TestDatabase;
  const environment = () => ({
    ...credentials,
    BACKUP_S3_ENDPOINT: server.endpoint,
    DATA_DIR: '/nowhere/cool-mint',
    DATABASE_URL: database.url,
    EVENTSTORE_URL: '',
  });

  beforeAll(async () => {
    [database, target] = [await createTestDatabase(), await createTestDatabase()];
    const client = new Client({ connectionString: target.url });
    await client.connect();
    await client.query('update event_log.log set id = $1', [randomBytes(4).toString('hex')]);
    await client.end();
    const pool = new Pool({ connectionString: database.url });
    const log = await postgresEventLog({ pool, directUrl: database.url });
    for (let index = 0; index < 80; index++)
      await log.append([
        {
          stream: `selection-${index}`,
          expected: 'none',
          events: [newEvent('acme', { text: randomBytes(250_000).toString('hex') })],
        },
      ]);
    await log.close();
    await pool.end();
  });
  afterAll(async () => {
    await database.drop();
    await target.drop();
  });

  test('go on where they were cut, refuse one byte that differs, and bring back the same', async () => {
    const place = `s3://${bucket}/by-command/daily/`;
    const store = storeOf('by-command/daily');
    const backingUp = ['backup', '--to', place, '--json'];
    const written = (least: number) => async () => (await store.list()).length >= least;
    expect((await signalWhen(startCoolMint(backingUp, environment()), 'SIGKILL', written(1))).code).toBeNull();

    // The storage goes away in the midst of it, and comes back.
    const running = startCoolMint(backingUp, environment());
    const there = (await store.list()).length;
    while (!(await written(there + 1)()));
    await server.kill();
    const away = await running.ended;
    expect([away.code, away.err]).toEqual([1, expect.stringContaining('the same command goes on where this one was')]);
    await server.start();
    const listed = () =>
      store.list().then(
        ({ length }) => length,
        (error: Error) => error.message,
      );
    // It listens before it answers.
    await expect.poll(listed, { timeout: 30_000 }).toBeGreaterThan(there);
    const done = await coolMint(backingUp, environment());
    expect(jsonLines(done.out).at(-1)).toMatchObject({
      event: 'done',
      to: `s3://${bucket}/by-command/daily`,
      events: 80,
    });
    expect(jsonLines(done.out).at(-1)?.['before']).toBeGreaterThan(0);

    const restoring = ['restore', '--from', place];
    const into = { ...environment(), DATABASE_URL: target.url };
    const part = (await store.list()).find(({ name }) => name.startsWith('log/')) as { readonly name: string };
    const bytes = (await store.read(part.name)) as Buffer;
    const changed = Buffer.from(bytes);
    changed[changed.length - 5] = (changed.at(-5) as number) ^ 4;
    await store.write(part.name, changed);
    const refused = await coolMint(restoring, into);
    expect([refused.code, refused.out, refused.err]).toEqual([
      1,
      '',
      expect.stringContaining(`${part.name} is not as it was written`),
    ]);
    await store.write(part.name, bytes);

    const restored = await coolMint(restoring, into);
    expect([restored.code, restored.out]).toEqual([0, expect.stringContaining('Restored 80 events from s3://')]);
    const events = async (url: string) => {
      const pool = new Pool({ connectionString: url });
      const answer = await pool.query('select id, data::text from event_log.events order by position');
      await pool.end();
      return answer.rows;
    };
    expect(await events(target.url)).toEqual(await events(database.url));
  });

  test('objects of others below the prefix are no backup, and stay', async () => {
    const store = storeOf('of-others');
    await store.write('keys/id_rsa', Buffer.from('precious'));
    const { code, err } = await coolMint(['backup', '--to', `s3://${bucket}/of-others`], environment());
    expect([code, err]).toEqual([1, expect.stringContaining('neither empty nor a backup: it holds keys/id_rsa')]);
    expect(await store.list()).toEqual([{ name: 'keys/id_rsa', bytes: 8 }]);
  });

  test('a bucket that is not there is told', async () => {
    const { code, err } = await coolMint(['backup', '--to', 's3://not-there/x'], environment());
    expect([code, err]).toEqual([1, expect.stringContaining('there is no bucket not-there. Create it')]);
    expect(err).not.toContain('hush');
  });
});
