import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client, Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { untilOf } from '#cli/restore.ts';
import { ensureLocalIssuer, issuerFiles } from '#shared/access/local-issuer.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { joinInstallation } from '#shared/postgres/installation-lock.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { jsonLines, signalWhen, startCoolMint } from '../e2e/support/cool-mint.ts';
import { startService, stopProcess } from '../e2e/support/service-process.ts';

let root: string;
let place: string;
let places = 0;
let database: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-backup-cli-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  place = path.join(root, `place-${++places}`);
  database = await createTestDatabase();
  target = await createTestDatabase();
  // Test databases are copies of one, with its log's id; a database that is migrated has its own.
  const client = new Client({ connectionString: target.url });
  await client.connect();
  await client.query('update event_log.log set id = $1', [randomBytes(4).toString('hex')]);
  await client.end();
});
afterEach(async () => {
  await database.drop();
  await target.drop();
});

const start = (args: readonly string[], environment: Record<string, string> = {}) =>
  startCoolMint(args, {
    DATA_DIR: path.join(root, 'data'),
    DATABASE_URL: database.url,
    EVENTSTORE_URL: '',
    ...environment,
  });
const coolMint = (...given: Parameters<typeof start>) => start(...given).ended;
const backUp = (...args: string[]) => coolMint(['backup', '--to', place, ...args]);
const restore = (...args: string[]) => coolMint(['restore', '--from', place, ...args], { DATABASE_URL: target.url });

/** Events of a size, each in a stream of its own; random, so that they stay large when they are compressed. */
async function record(count: number, bytes = 100): Promise<void> {
  const pool = new Pool({ connectionString: database.url, application_name: 'test' });
  const log = await postgresEventLog({ pool, directUrl: database.url });
  for (let index = 0; index < count; index++)
    await log.append([
      {
        stream: `selection-${randomBytes(8).toString('hex')}`,
        expected: 'none',
        events: [newEvent('acme', { text: randomBytes(bytes / 2).toString('hex') })],
      },
    ]);
  await log.close();
  await pool.end();
}

async function inTarget(): Promise<{ events: number; digest: string }> {
  const pool = new Pool({ connectionString: target.url });
  const answer = await pool.query(
    "select count(*)::int as events, md5(string_agg(id::text || data::text, ' ' order by position)) as digest from event_log.events",
  );
  await pool.end();
  return answer.rows[0];
}

async function inSource(): Promise<{ events: number; digest: string }> {
  const own = target;
  target = database;
  return inTarget().finally(() => {
    target = own;
  });
}

/** As a process of the service is. */
const atWork = (directUrl: string) =>
  joinInstallation({ directUrl, log: 'postgres', work: [], runtime: systemRuntime, logger: pino({ level: 'silent' }) });

const parts = async () => (await readdir(path.join(place, 'log')).catch(() => [])).sort();

describe('cool-mint backup and restore', { timeout: 120_000 }, () => {
  test('back up beside a service, check, and restore; say what there is and what comes next', async () => {
    await record(30);
    const service = await atWork(database.url);
    const made = await backUp();
    await service[Symbol.asyncDispose]();
    expect([made.code, made.err]).toEqual([0, '']);
    expect(made.out).toMatch(
      /^Backed up 30 events from Postgres at 127\.0\.0\.1:\d+\/test_\w+ to .*place-1\.\n {2}up to {5}2026-11-01T10:00:00\.000Z\n {2}rows {6}0 of tables that are not in the log\n {2}keys {6}no\n {2}size {6}[\d.]+ kB\n$/,
    );
    expect((await stat(path.join(place, 'manifest.json'))).mode & 0o777).toBe(0o600);
    await record(2);
    expect((await backUp()).out).toContain('Backed up 32 events');
    const checked = await coolMint(['restore', '--check', '--from', place, '--json'], { DATABASE_URL: 'none' });
    expect([checked.code, checked.err]).toEqual([0, '']);
    const facts = jsonLines(checked.out).at(-1) as { digest: string };
    expect(facts).toMatchObject({ event: 'done', events: 32, cut: false, keys: false });
    const human = await coolMint(['restore', '--check', '--from', place, '--until', '2026-10-31']);
    expect(human.out).toContain('is whole. A restore would bring 0 events.');
    expect(human.out).toContain('(32 events after it left out)');

    const done = await restore();
    expect([done.code, done.err]).toEqual([0, 'Next: start Cool Mint. It builds its views from the log.\n']);
    expect(done.out).toMatch(/^Restored 32 events from .* to Postgres at /);
    expect(done.out).toContain(`digest    ${facts.digest}`);
    expect(await inTarget()).toEqual(await inSource());
    const again = jsonLines((await restore('--json')).out).at(-1);
    expect(again).toMatchObject({ event: 'done', events: 32, before: 32, digest: facts.digest });
  });

  test('a backup that is killed, or interrupted, goes on with the parts that it wrote', async () => {
    await record(120, 500_000);
    const backingUp = ['backup', '--to', place, '--json'];
    const written = (least: number) => async () => (await parts()).length >= least;
    expect((await signalWhen(start(backingUp), 'SIGKILL', written(2))).code).toBeNull();
    const killed = await parts();
    const interrupted = await signalWhen(start(backingUp), 'SIGINT', written(killed.length + 1));
    expect([interrupted.code, interrupted.err]).toEqual([130, expect.stringContaining('the same command goes on')]);
    expect((await restore('--check')).err).toContain('manifest.json, which is written last, is not there');
    const left = await parts();
    expect(left).toEqual(expect.arrayContaining(killed));
    const { code, out } = await coolMint(backingUp);
    expect([code, jsonLines(out).at(-1)]).toEqual([0, expect.objectContaining({ event: 'done', events: 120 })]);
    expect(jsonLines(out).at(-1)?.['before']).toBeGreaterThan(0);
    expect(await parts()).toEqual(expect.arrayContaining(left));
    expect((await parts()).length).toBeGreaterThan(left.length);

    // … and so does a restore of it.
    const restoring = ['restore', '--from', place, '--json'];
    const env = { DATABASE_URL: target.url };
    const pool = new Pool({ connectionString: target.url, application_name: 'test' });
    const count = async () => (await pool.query('select count(*)::int as events from event_log.events')).rows[0].events;
    const restored = (least: number) => async () => (await count()) >= least;
    expect((await signalWhen(start(restoring, env), 'SIGKILL', restored(1))).code).toBeNull();
    const there = await count();
    const stopped = await signalWhen(start(restoring, env), 'SIGINT', restored(there + 1));
    expect([stopped.code, stopped.err]).toEqual([130, expect.stringContaining('the same command goes on')]);
    await pool.end();
    const whole = jsonLines((await coolMint(restoring, env)).out).at(-1);
    expect(whole).toMatchObject({ event: 'done', events: 120 });
    expect(whole?.['before']).toBeGreaterThan(there);
    expect(await inTarget()).toEqual(await inSource());
  });

  test('nothing starts beside a restore, nor after one that was killed, until the same command has completed it', async () => {
    await record(30, 500_000);
    const [from, into] = [path.join(root, 'key-from'), path.join(root, 'key-into')];
    await ensureLocalIssuer(from);
    expect((await coolMint(['backup', '--to', place], { DATA_DIR: from })).code).toBe(0);
    const env = { DATABASE_URL: target.url, DATA_DIR: into };
    const service = () => startService(into, { ...env, DEMO: 'on' });
    const restoring = start(['restore', '--from', place], env);
    await signalWhen({ ...restoring, ended: Promise.resolve({ code: 0, out: '', err: '' }) }, 'SIGSTOP', async () => {
      return (await inTarget()).events > 0;
    });
    await expect(service().ready).rejects.toThrow('A restore, or a copy of the event log, is under way');
    const second = await restore();
    expect([second.code, second.err]).toEqual([1, expect.stringContaining('Another restore, or a copy')]);
    restoring.child.kill('SIGKILL');
    await restoring.ended;

    const { events } = await inTarget();
    expect(events).toBeLessThan(30);
    await expect(service().ready).rejects.toThrow(
      new RegExp(`A restore of ${place}, begun .*Z, has not ended.*npx cool-mint restore --from ${place}`),
    );
    const elsewhere = await coolMint(['backup', '--to', `${place}-of-a-part`], env);
    expect([elsewhere.code, elsewhere.err]).toEqual([1, expect.stringContaining('has not ended')]);
    expect((await inTarget()).events).toBe(events);
    // Its key was there before the first event was.
    const key = (dataDir: string) => readFile(issuerFiles(dataDir).privateKey, 'utf8');
    expect(await key(into)).toBe(await key(from));

    const whole = await coolMint(['restore', '--from', place], env);
    expect([whole.code, whole.out]).toEqual([0, expect.stringMatching(/Restored 30 events.*had been there before/s)]);
    expect(await inTarget()).toEqual(await inSource());
    const running = startService(into, { ...env, DEMO: 'off' });
    await running.ready;
    const beside = await restore();
    expect([beside.code, beside.err]).toEqual([1, expect.stringContaining('A Cool Mint is at work on')]);
    expect(await stopProcess(running.child)).toBe(0);
  });

  test('a restore is refused where a service is at work, where there is something, and where a byte differs', async () => {
    await record(10);
    await backUp();
    const service = await atWork(target.url);
    const used = await restore();
    expect([used.code, used.out, used.err]).toEqual([
      1,
      '',
      expect.stringMatching(/A Cool Mint is at work on .* Stop it first/),
    ]);
    await service[Symbol.asyncDispose]();
    const same = await coolMint(['restore', '--from', place]);
    expect([same.code, same.err]).toEqual([1, expect.stringContaining('has the event log that was backed up')]);

    const [part] = (await parts()) as [string];
    const file = path.join(place, 'log', part);
    const bytes = await readFile(file);
    bytes[20] = (bytes[20] as number) ^ 1;
    await writeFile(file, bytes);
    const damaged = await restore();
    expect([damaged.code, damaged.out]).toEqual([1, '']);
    expect(damaged.err).toBe(
      `cool-mint: log/${part} is not as it was written: its digest differs. Use another copy of the backup.\n`,
    );
    expect((await inTarget()).events).toBe(0);
    bytes[20] = (bytes[20] as number) ^ 1;
    await writeFile(file, bytes);

    await restore();
    const pool = new Pool({ connectionString: target.url, application_name: 'test' });
    const log = await postgresEventLog({ pool, directUrl: target.url });
    await log.append([{ stream: 'selection-own', expected: 'none', events: [newEvent('acme')] }]);
    await log.close();
    await pool.end();
    const worked = await restore();
    expect([worked.code, worked.err]).toEqual([
      1,
      expect.stringContaining('This installation is not empty; nothing was written'),
    ]);
    expect(worked.err).toContain('The first that the source lacks is SelectionRenamed');
  });

  test('what is wrong, and what to do, is told without a stack trace and without secrets', async () => {
    const fails = async (args: readonly string[], environment: Record<string, string>, told: string) => {
      const { code, out, err } = await coolMint(args, environment);
      expect([told, code, out]).toEqual([told, 1, '']);
      expect(err).toContain(told);
      expect(err).not.toContain('    at ');
      expect(err).not.toContain('secret');
    };
    const s3 = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', BACKUP_S3_ENDPOINT: 'http://127.0.0.1:9' };
    const other = path.join(root, 'other');
    await mkdir(other, { recursive: true });
    await writeFile(path.join(other, 'letter.txt'), 'hello');
    const empty = path.join(root, 'no-data');
    await fails(['backup'], {}, "required option '--to <place>' not specified");
    await fails(['backup', '--to', other], {}, 'neither empty nor a backup: it holds letter.txt');
    await fails(['backup', '--to', 'ftp://host/x'], {}, 'Give a folder, or s3://bucket/prefix');
    await fails(
      ['backup', '--to', place],
      { DATABASE_URL: 'postgres://u:secret@127.0.0.1:9/x' },
      'DATABASE_URL: the Postgres at',
    );
    await fails(
      ['backup', '--to', place],
      { DATABASE_URL: '', DATA_DIR: empty },
      'nothing to back up. Check DATABASE_URL',
    );
    await fails(['backup', '--to', 's3://bucket/x'], s3, 'http://127.0.0.1:9 does not answer');
    await fails(['backup', '--to', 's3://bucket/x'], { ...s3, BACKUP_S3_ENDPOINT: 'there' }, 'BACKUP_S3_ENDPOINT: ');
    await fails(['restore', '--from', empty], {}, 'it is empty');
    await fails(['restore', '--from', place, '--until', 'yesterday'], {}, 'or a position of the log');
    expect(await readdir(empty).catch(() => null)).toBeNull();
  });

  test('--until is an instant, the end of a day, or a position', () => {
    expect(untilOf('2026-01-31T09:30:00+02:00')).toEqual({ time: '2026-01-31T07:30:00.000Z' });
    expect(untilOf('2026-01-31')).toEqual({ time: '2026-01-31T23:59:59.999Z' });
    expect(untilOf('73ed89a2-000000000000016e')).toEqual({ position: '73ed89a2-000000000000016e' });
    expect(() => untilOf('31.1.2026')).toThrow('or a position of the log');
  });
});
