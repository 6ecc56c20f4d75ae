/** A copy with the log in Postgres on either side, in processes that are killed, and with servers that go away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { copyLog } from '#shared/event-log/copy-log.ts';
import { eventText } from '#shared/event-log/copy-log-digest.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { slotOf } from '#shared/transport/slot.ts';

interface Opened {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly log: EventLog;
}
const opened: Opened[] = [];

async function openLog(): Promise<Opened> {
  const database = await createTestDatabase();
  const pool = createPool(database.url, 'test', 5, pino({ level: 'silent' }));
  // Test databases are copies of one, and so are their logs.
  await pool.query('update event_log.log set id = $1', [database.url.slice(-8)]);
  const log = await postgresEventLog({ pool, directUrl: database.url });
  opened.push({ database, pool, log });
  return { database, pool, log };
}

async function closeLogs(logs: readonly Opened[]): Promise<void> {
  for (const { log, pool, database } of logs) {
    await log.close();
    await pool.end();
    await database.drop();
  }
}

const copy = (source: EventLog, target: EventLog) =>
  copyLog({ source, target, signal: new AbortController().signal, onProgress: () => undefined });

async function bySlot(log: EventLog): Promise<ReadonlyMap<number, readonly string[]>> {
  const events = await readLog(log);
  const slots = Map.groupBy(events, ({ metadata }) => slotOf(metadata.tenant));
  return new Map([...slots].sort(([a], [b]) => a - b).map(([slot, each]) => [slot, each.map(eventText)]));
}

const streams = 600;
const awkward = ['a\u0000b', '\ufeffstart', 'x\ud83dy', 'a\u2028b\r\n', '\\u0000 "\\" \'; drop table events; --'];
let source: Opened;
let wanted: ReadonlyMap<number, readonly string[]>;

beforeAll(async () => {
  source = await openLog();
  for (let index = 0; index < streams; index += 50)
    await source.log.append(
      Array.from({ length: 50 }, (_, place) => {
        const tenant = `tenant-${(index + place) % 40}`;
        const texts = awkward.map((text) => newEvent(tenant, { text, [text]: index + place }));
        return { stream: `selection-${index + place}`, expected: 'none' as const, events: texts };
      }),
    );
  const large = Array.from({ length: 5 }, () => newEvent('tenant-3', 'ä'.repeat(250_000)));
  await source.log.append([{ stream: 'selection-0', expected: awkward.length - 1, events: large.slice(0, 2) }]);
  await source.log.append([{ stream: 'selection-0', expected: awkward.length + 1, events: large.slice(2, 4) }]);
  wanted = await bySlot(source.log);
});
afterEach(() => closeLogs(opened.splice(1)));
afterAll(() => closeLogs(opened));

const total = streams * awkward.length + 4;

describe('the log in Postgres', () => {
  test('is copied into another database and from there into memory, each time to the same digest', async () => {
    const target = await openLog();
    const first = await copy(source.log, target.log);
    expect(first).toMatchObject({ before: 0, copied: total, events: total, growing: false });
    expect(await bySlot(target.log)).toEqual(wanted);
    const memory = memoryEventLog({ id: '0000000b' });
    expect(await copy(target.log, memory)).toEqual(first);
    expect(await bySlot(memory)).toEqual(wanted);
  });

  test('is written from memory, and moved back what came there later', async () => {
    const memory = memoryEventLog({ id: '0000000b' });
    const back = await openLog();
    await copy(source.log, back.log);
    await copy(source.log, memory);
    await memory.append([{ stream: 'selection-late', expected: 'none', events: [newEvent('tenant-1')] }]);
    expect(await copy(memory, back.log)).toMatchObject({ before: total, copied: 1, events: total + 1 });
    expect(await bySlot(back.log)).toEqual(await bySlot(memory));
  });

  test('rides out connections that are cut while it is written', async () => {
    const target = await openLog();
    const admin = createPool(source.database.url, 'cutter', 1, pino({ level: 'silent' }));
    let cuts = 0;
    let ended = false;
    const copying = copyLog({
      source: source.log,
      target: target.log,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    }).finally(() => {
      ended = true;
    });
    const name = new URL(target.database.url).pathname.slice(1);
    while (!ended && cuts < 3) {
      const cut = await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and query like '%event_log.append%' and state = 'active'",
        [name],
      );
      cuts += cut.rowCount ?? 0;
    }
    await admin.end();
    expect(await copying).toMatchObject({ copied: total });
    expect(cuts).toBeGreaterThan(0);
    expect(await bySlot(target.log)).toEqual(wanted);
  });

  test('whose copying process is killed with -9, again and again, is whole when it is run once more', async () => {
    const target = await openLog();
    const held = async () =>
      Number((await target.pool.query<{ n: string }>('select count(*) as n from event_log.events')).rows[0]?.n);
    let kills = 0;
    for (let ended = false; !ended && kills < 3; ) {
      const before = await held();
      const child = spawn(
        process.execPath,
        [
          '--input-type=module-typescript',
          '-e',
          `import { Pool } from 'pg';
          import { copyLog } from '#shared/event-log/copy-log.ts';
          import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
          const open = (url) => postgresEventLog({ pool: new Pool({ connectionString: url, max: 4 }), directUrl: url });
          const [source, target] = await Promise.all(process.argv.slice(1).map(open));
          const onProgress = ({ phase, events }) => phase === 'copying' && process.stdout.write(events + '\\n');
          await copyLog({ source, target, signal: new AbortController().signal, onProgress });`,
          source.database.url,
          target.database.url,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'], cwd: new URL('../..', import.meta.url) },
      );
      const exit = once(child, 'exit');
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        // Once it has written a part of what was missing.
        if (Number(text.trim().split('\n').at(-1)) > before + 200) child.kill('SIGKILL');
      });
      const [, killed] = await exit;
      // A machine that is busy enough may let it come to its end after all.
      if (killed === 'SIGKILL') kills++;
      else ended = true;
    }
    expect(kills).toBeGreaterThan(0);
    expect(await copy(source.log, target.log)).toMatchObject({ events: total });
    expect(await bySlot(target.log)).toEqual(wanted);
  });
});
