import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { lockFolder } from '#shared/postgres/embedded/folder-lock.ts';
import { joinInstallation, type LogKind } from '#shared/postgres/installation-lock.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { jsonLines, coolMint as runCoolMint } from '../e2e/support/cool-mint.ts';

const toEventStore = ['log', 'copy', '--from', 'postgres', '--to', 'eventstoredb'];
const toPostgres = ['log', 'copy', '--from', 'eventstoredb', '--to', 'postgres'];

let folder: string;
let server: EventStoreDouble;
let database: TestDatabase;
/** A prefix of its own for each test. */
let prefix = '';
let tests = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-log-'));
  server = await startEventStoreDouble();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  prefix = `test${++tests}.`;
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** Records events, each in a stream of its own. */
async function record(count: number, { name = 'acme', url = database.url } = {}): Promise<void> {
  const pool = new Pool({ connectionString: url, application_name: 'test' });
  const log = await postgresEventLog({ pool, directUrl: url });
  for (let index = 0; index < count; index += 500)
    await log.append(
      Array.from({ length: Math.min(500, count - index) }, (_, place) => ({
        stream: `selection-${name}-${index + place}`,
        expected: 'none' as const,
        events: [newEvent('acme')],
      })),
    );
  await log.close();
  await pool.end();
}

const coolMint = (
  args: readonly string[],
  environment: Record<string, string> = {},
  onOutput?: Parameters<typeof runCoolMint>[2],
) =>
  runCoolMint(
    args,
    {
      DATA_DIR: folder,
      DATABASE_URL: database.url,
      EVENTSTORE_URL: server.url,
      EVENTSTORE_STREAM_PREFIX: prefix,
      ...environment,
    },
    onOutput,
  );

const copied = () => server.events().filter(({ stream }) => stream.startsWith(`${prefix}selection-`));
describe('cool-mint log', { timeout: 60_000 }, () => {
  test('copies, says what both hold and what comes next; again, it adds nothing', async () => {
    await record(30);
    const first = await coolMint(toEventStore);
    expect([first.code, first.err]).toEqual([0, expect.stringContaining('npx cool-mint rebuild all')]);
    expect(first.out).toMatch(
      /^Copied 30 events from Postgres at 127\.0\.0\.1:\d+\/test_\w+ to EventStoreDB at 127\.0\.0\.1:\d+, prefix test\d+\.\.\nBoth hold the same 30 events now, each tenant's in the same order\.\n {2}digest {2}sha-256:[0-9a-f]{64}\n$/,
    );
    expect(copied()).toHaveLength(30);
    const again = await coolMint([...toEventStore, '--json']);
    expect(again.code).toBe(0);
    const done = jsonLines(again.out).at(-1) as { digest: string };
    expect(done).toMatchObject({
      event: 'done',
      from: 'postgres',
      to: 'eventstoredb',
      before: 30,
      copied: 0,
      events: 30,
    });
    expect(first.out).toContain(done.digest);
    expect(copied()).toHaveLength(30);
    const back = await coolMint(toPostgres);
    expect([back.code, back.out]).toEqual([0, expect.stringContaining('Copied 0 events')]);
    expect(back.err).toContain('with EVENTSTORE_URL unset');
  });

  test('compares without writing', async () => {
    await record(20);
    const verify = ['log', 'verify', '--from', 'postgres', '--to', 'eventstoredb'];
    const before = await coolMint([...verify, '--json']);
    expect([before.code, before.err]).toEqual([1, expect.stringContaining('0 events, and lacks 20.')]);
    expect(jsonLines(before.out).at(-1)).toMatchObject({ event: 'done', events: 0, missing: 20 });
    expect(copied()).toEqual([]);
    await coolMint(toEventStore);
    const after = await coolMint(verify);
    expect([after.code, after.out]).toEqual([0, expect.stringContaining('Both hold the same 20 events')]);
  });

  test('ends cleanly at Ctrl-C, and after kill -9, and goes on when it is run again', async () => {
    await record(3_000);
    let asked = false;
    const onCopying = (signal: NodeJS.Signals) => (out: string, child: ChildProcess) => {
      if (asked || !out.includes('"phase":"copying"')) return;
      asked = true;
      child.kill(signal);
    };
    // It is told to end in the midst of it, however fast the machine is.
    const freeze = () => server.inject({ on: 'append', nth: 400, kind: 'frozen', durationMs: 2_000 });
    freeze();
    const interrupted = await coolMint([...toEventStore, '--json'], {}, onCopying('SIGINT'));
    expect([interrupted.code, interrupted.err]).toEqual([130, expect.stringContaining('the same command goes on')]);
    const there = copied().length;
    expect(there).toBeLessThan(3_000);
    asked = false;
    freeze();
    expect((await coolMint([...toEventStore, '--json'], {}, onCopying('SIGKILL'))).code).toBeNull();
    const later = copied().length;
    const { code, out } = await coolMint([...toEventStore, '--json']);
    expect([code, jsonLines(out).at(-1)]).toEqual([0, expect.objectContaining({ event: 'done', events: 3_000 })]);
    expect(jsonLines(out).at(-1)?.['before']).toBeGreaterThanOrEqual(Math.max(there, later));
    expect(new Set(copied().map(({ id }) => id)).size).toBe(3_000);
    expect(copied()).toHaveLength(3_000);
  });

  test('refuses a target with events of its own, says which, and what to do', async () => {
    await record(10);
    await coolMint(toEventStore);
    const other = await createTestDatabase();
    try {
      const admin = new Pool({ connectionString: other.url });
      await admin.query("update event_log.log set id = '0000000c'");
      await admin.end();
      await record(1, { name: 'own', url: other.url });
      const foreign = await coolMint(toPostgres, { DATABASE_URL: other.url });
      expect([foreign.code, foreign.out]).toEqual([1, '']);
      expect(foreign.err).toMatch(
        /neither empty nor a beginning of the source; nothing was written\.\n {2}In slot 4 event 1 differs/,
      );
      expect(foreign.err).toContain('choose an empty log: another database (DATABASE_URL, or DATA_DIR)');
    } finally {
      await other.drop();
    }
    await record(1, { name: 'late' });
    const late = await coolMint(toPostgres);
    expect(late.code).toBe(1);
    expect(late.err).toMatch(
      /holds 11 events, the source 10\. The first that the source lacks is SelectionRenamed .*selection-late/,
    );
    expect(late.err).toContain('copy in the other direction (--from postgres --to eventstoredb)');
    // … which is what the late event needs.
    expect((await coolMint(toEventStore)).out).toContain('Copied 1 event ');
  });

  test('notices a service that works on either log', async () => {
    await record(10);
    const service = (log: LogKind) =>
      joinInstallation({
        directUrl: database.url,
        log,
        work: [],
        runtime: systemRuntime,
        logger: pino({ level: 'silent' }),
      });
    const work = await service('eventstoredb');
    const refused = await coolMint(toEventStore);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('with its event log in another store')]);
    await work[Symbol.asyncDispose]();
    const other = await service('postgres');
    const warned = await coolMint(toEventStore);
    expect([warned.code, warned.err]).toEqual([0, expect.stringContaining('stop it and run this again')]);
    expect((await coolMint(toPostgres)).err).toContain('with its event log in it. Stop it first');
    await other[Symbol.asyncDispose]();
    await lockFolderAndCopy();
  });

  async function lockFolderAndCopy(): Promise<void> {
    const unlock = await lockFolder(path.join(folder, 'owner.lock'), folder, 0);
    const { code, err } = await coolMint(toEventStore, { DATABASE_URL: '' });
    unlock();
    expect([code, err]).toEqual([1, expect.stringContaining('Another Cool Mint process is using the data folder')]);
  }

  test('says what is wrong and what to do, on standard error, without a stack trace', async () => {
    const fails = async (args: readonly string[], environment: Record<string, string>, told: string) => {
      const { code, out, err } = await coolMint(args, environment);
      expect([told, code, out]).toEqual([told, 1, '']);
      expect(err).toContain(told);
      expect(err).not.toContain('    at ');
      expect(err).not.toContain('secret');
    };
    const away = 'postgres://u:secret@127.0.0.1:9/x';
    await Promise.all([
      fails(toEventStore, { EVENTSTORE_URL: '' }, 'EVENTSTORE_URL is not set'),
      fails(toEventStore, { EVENTSTORE_URL: 'http://localhost:2113' }, 'EVENTSTORE_URL must begin with esdb://'),
      fails(
        toEventStore,
        { EVENTSTORE_URL: 'esdb://u:secret@127.0.0.1:9?tls=false' },
        'EventStoreDB at 127.0.0.1:9 cannot',
      ),
      fails(toEventStore, { DATABASE_URL: away }, 'DATABASE_URL: the Postgres at 127.0.0.1:9'),
      fails(['log', 'copy', '--from', 'postgres', '--to', 'postgres'], {}, '--from and --to are both postgres'),
      fails(['log', 'copy', '--from', 'postgres'], {}, "required option '--to <store>' not specified"),
      fails(['log', 'move', '--from', 'postgres', '--to', 'eventstoredb'], {}, 'Allowed choices are copy, verify'),
    ]);
    await fails(toEventStore, {}, 'is empty: nothing was copied. Check DATABASE_URL and DATA_DIR.');
    await fails(toPostgres, {}, 'is empty: nothing was copied. Check EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX.');
  });
});
