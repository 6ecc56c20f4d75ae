import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventLogContract, newEvent } from '#shared/event-log/contract.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';

async function openLog(database: TestDatabase) {
  const pool = createPool(database.url, 'test', 5, pino({ level: 'silent' }));
  const log = await postgresEventLog({ pool, directUrl: database.url });
  return {
    log,
    pool,
    close: async () => {
      await log.close();
      await pool.end();
    },
  };
}

eventLogContract('Postgres', async () => {
  const database = await createTestDatabase();
  const opened = await openLog(database);
  return {
    log: opened.log,
    close: async () => {
      await opened.close();
      await database.drop();
    },
  };
});

describe('the event log in Postgres', () => {
  let database: TestDatabase;
  let opened: { log: EventLog; pool: Pool; close(): Promise<void> };
  const tenant = 'acme';
  const append = (stream: string, expected: number | 'none', count = 1) =>
    opened.log.append([{ stream, expected, events: Array.from({ length: count }, () => newEvent(tenant)) }]);

  beforeAll(async () => {
    database = await createTestDatabase();
    opened = await openLog(database);
  });
  afterAll(async () => {
    await opened.close();
    await database.drop();
  });

  test('a transaction that holds the lock makes other writers wait, and no reader ever misses an event', async () => {
    const { log, pool } = opened;
    const holder = await pool.connect();
    const before = await log.head();
    await holder.query('begin');
    await holder.query(
      `select * from event_log.append(array[$1], array[-1]::bigint[], array[1], array[$2]::uuid[], array['SelectionRenamed'],
         array['acme'], array[now()], array['{}'], array['{}'])`,
      [`selection-${randomUUID()}`, randomUUID()],
    );
    const stop = new AbortController();
    const seen: RecordedEvent[] = [];
    const reader = (async () => {
      for await (const message of log.subscribe(before, stop.signal)) {
        if (message.kind === 'events') seen.push(...message.events);
        if (seen.length === 41) stop.abort();
      }
    })();
    let settled = 0;
    const writers = Array.from({ length: 40 }, () => append(`selection-${randomUUID()}`, 'none').then(() => settled++));
    // The others queue behind the lock: Postgres itself says that one waits for it.
    await expect
      .poll(async () => {
        const waiting = await pool.query("select 1 from pg_locks where locktype = 'advisory' and not granted");
        return waiting.rowCount;
      })
      .toBeGreaterThan(0);
    expect(settled).toBe(0);
    expect(seen).toEqual([]);
    await holder.query('commit');
    holder.release();
    await Promise.all(writers);
    await reader;
    const positions = seen.map((event) => event.position);
    expect(positions).toEqual([...positions].sort());
    expect(new Set(positions).size).toBe(41);
  });

  test('many writers in several processes of the log: a reader that follows sees every event once, in order', async () => {
    const second = await openLog(database);
    const before = await opened.log.head();
    const stop = new AbortController();
    const seen: RecordedEvent[] = [];
    const reader = (async () => {
      for await (const message of opened.log.subscribe(before, stop.signal)) {
        if (message.kind === 'events') seen.push(...message.events);
        if (seen.length === 600) stop.abort();
      }
    })();
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        (index % 2 ? opened.log : second.log).append([
          { stream: `selection-${randomUUID()}`, expected: 'none', events: [newEvent(tenant), newEvent(tenant)] },
        ]),
      ),
    );
    await reader;
    await second.close();
    const byStream = Map.groupBy(seen, (event) => event.stream);
    expect(byStream.size).toBe(300);
    for (const events of byStream.values()) expect(events.map((event) => event.revision)).toEqual([0, 1]);
  });

  test('inserting, changing and deleting beside the function is refused', async () => {
    const { pool } = opened;
    await append(`selection-${randomUUID()}`, 'none');
    for (const statement of [
      "insert into event_log.events values (999999, 'selection-x', 0, gen_random_uuid(), 'X', 'acme', now(), '{}', '{}')",
      "update event_log.events set type = 'Y'",
      'delete from event_log.events',
      'truncate event_log.events',
    ])
      await expect(pool.query(statement)).rejects.toThrow(/only added by event_log.append/);
  });

  test('an append in a transaction of another isolation level is refused', async () => {
    const client = await opened.pool.connect();
    await client.query('begin isolation level repeatable read');
    await expect(
      client.query("select * from event_log.append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')"),
    ).rejects.toThrow(/READ COMMITTED/);
    await client.query('rollback');
    client.release();
  });

  test('connections that are cut while appends are under way: each append is stored exactly once', async () => {
    const streams: string[] = [];
    let settled = 0;
    let cutting = true;
    const cutter = (async () => {
      const admin = new Pool({ connectionString: database.url, max: 1, application_name: 'cutter' });
      // Five cuts, each in the middle of an append, each after ten more have got through.
      for (let cuts = 0; cuts < 5; ) {
        const cut = await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name <> 'cutter' and state = 'active' and query like '%event_log.append%'`,
        );
        if (!cut.rowCount) continue;
        cuts++;
        const seen = settled;
        await expect.poll(() => settled, { timeout: 20_000 }).toBeGreaterThanOrEqual(seen + 10);
      }
      cutting = false;
      await admin.end();
    })();
    opened.pool.on('error', () => undefined);
    const results = [];
    while (cutting || streams.length < 2_000) {
      const some = Array.from({ length: 10 }, () => `selection-${randomUUID()}`);
      streams.push(...some);
      results.push(...(await Promise.all(some.map((stream) => append(stream, 'none', 2).finally(() => settled++)))));
    }
    await cutter;
    expect(results.flat().every((result) => result.outcome === 'appended')).toBe(true);
    const counts = await opened.pool.query(
      'select stream, count(*)::int as events from event_log.events where stream = any($1) group by stream',
      [streams],
    );
    expect(counts.rows).toHaveLength(streams.length);
    expect(counts.rows.every((row) => row.events === 2)).toBe(true);
  });

  test('what a writer was told is stored survives its kill -9 before anybody reads it', async () => {
    // the contract file imports vitest, so the event is made here
    const event = JSON.stringify(newEvent(tenant));
    const child = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '-e',
        `import { Pool } from 'pg';
        import { randomUUID } from 'node:crypto';
        import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
        const pool = new Pool({ connectionString: process.argv[1] });
        const log = await postgresEventLog({ pool, directUrl: process.argv[1] });
        for (;;) {
          const stream = 'selection-' + randomUUID();
          const [result] = await log.append([{ stream, expected: 'none', events: [{ ...${event}, id: randomUUID() }] }]);
          console.log(JSON.stringify({ stream, position: result.position }));
        }`,
        database.url,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], cwd: new URL('../..', import.meta.url) },
    );
    const acknowledged: { stream: string; position: string }[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(JSON.parse(line));
      if (acknowledged.length === 50) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    const last = await opened.log.readLast(
      tenant,
      acknowledged.map(({ stream }) => stream),
    );
    expect(acknowledged.length).toBeGreaterThanOrEqual(50);
    for (const { stream, position } of acknowledged) expect(last.get(stream)?.position).toBe(position);
  });
});
