import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sortDelivery } from '#projector/apply.ts';
import type { Checkpoints } from '#projector/checkpoints.ts';
import { projectorMetrics } from '#projector/metrics.ts';
import { projections } from '#projector/projections.ts';
import { runProjection, statusAtStart } from '#projector/run-projection.ts';
import { memoryCache } from '#shared/cache/memory-cache.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { numbersOf, positionOf } from '#shared/event-log/position.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { currentVersion } from '#shared/events/codec.ts';
import type { DomainEvent } from '#shared/events/event.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { directTransport } from '#shared/transport/direct-transport.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';
import type { DeliveredEvent, Delivery, Transport } from '#shared/transport/transport.ts';

const silent = pino({ level: 'silent' });
const catalog = projections.find(({ name }) => name === 'catalog') as (typeof projections)[number];
const at = (number: number) => positionOf('00000001', number);

describe('sorting what was delivered', () => {
  const slot = slotOf('acme');
  const checkpoints: Checkpoints = allSlots.map(() => ({
    position: at(5),
    time: null,
    eventId: null,
    eventPosition: null,
    ordinal: null,
  }));
  const delivered = (position: number, previous: number) =>
    ({ slot, previous: at(previous), event: { position: at(position) } }) as unknown as Delivery['events'][number];

  test('positions up to the checkpoint are duplicates', () => {
    const sorted = sortDelivery(checkpoints, {
      events: [delivered(4, 3), delivered(5, 4), delivered(6, 5)],
      watermarks: [],
    });
    expect(sorted).toMatchObject({ duplicates: 2, gaps: [] });
    expect(sorted.apply).toHaveLength(1);
  });

  test('an event whose previous one is not there is a gap, up to and with the event', () => {
    expect(sortDelivery(checkpoints, { events: [delivered(9, 7)], watermarks: [] })).toMatchObject({
      apply: [],
      gaps: [{ slot, after: at(5), upTo: at(9) }],
    });
  });

  test('an event that comes late, after a newer one, was repaired already: it is a duplicate', () => {
    const sorted = sortDelivery(checkpoints, { events: [delivered(8, 7), delivered(7, 5)], watermarks: [] });
    expect(sorted).toMatchObject({ apply: [], duplicates: 1, gaps: [{ after: at(5), upTo: at(8) }] });
  });

  test('a watermark tells of an event that never came', () => {
    const previous = new Map(allSlots.map((other) => [other, other === slot ? at(8) : at(2)]));
    const watermark = { position: at(20), time: null, previous };
    expect(sortDelivery(checkpoints, { events: [], watermarks: [watermark] }).gaps).toEqual([
      { slot, after: at(5), upTo: at(8) },
    ]);
  });
});

describe('the loop of a projection', () => {
  let database: TestDatabase;
  let pool: Pool;
  let log: EventLog;
  let stop: AbortController;
  let loops: Promise<void>[];

  beforeEach(async () => {
    database = await createTestDatabase();
    pool = createPool(database.url, 'test', 10, silent);
    log = await postgresEventLog({ pool, directUrl: database.url });
    stop = new AbortController();
    loops = [];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(loops);
    await log.close();
    await pool.end();
    await database.drop();
  });

  const run = (transport: Transport = directTransport(log, systemRuntime), pace?: () => Promise<void>) => {
    const status = statusAtStart(systemRuntime);
    const parts = {
      pool,
      log,
      transport,
      cache: memoryCache(),
      logger: pino({ level: 'silent' }),
      runtime: systemRuntime,
      ...(pace ? { pace } : {}),
    };
    loops.push(runProjection(parts, catalog, status, stop.signal));
    return status;
  };

  /** So many selections, each opened and then renamed so many times, of several tenants. */
  async function write(selections: number, renames: number): Promise<string> {
    const streams = Array.from({ length: selections }, () => `selection-${randomUUID()}`);
    for (let revision = 0; revision <= renames; revision++) {
      const results = await log.append(
        streams.map((stream, index) => {
          const event: DomainEvent =
            revision === 0
              ? {
                  type: 'SelectionOpened',
                  data: { name: 'name 0', purpose: null, copiedFrom: null, filter: null, filterPosition: null },
                }
              : { type: 'SelectionRenamed', data: { name: `name ${revision}` } };
          return {
            stream,
            expected: revision === 0 ? ('none' as const) : revision - 1,
            events: [
              {
                ...event,
                id: randomUUID(),
                metadata: {
                  tenant: `tenant-${index % 7}`,
                  recordedAt: new Date().toISOString(),
                  actor: 'user-1',
                  commandId: randomUUID(),
                  requestHash: '',
                  correlationId: randomUUID(),
                  causationId: null,
                  traceparent: null,
                  schemaVersion: currentVersion(event.type),
                },
              },
            ],
          };
        }),
      );
      if (results.some(({ outcome }) => outcome !== 'appended')) throw new Error('not appended');
    }
    return log.head();
  }

  async function settled(position: string): Promise<void> {
    await expect
      .poll(
        async () => {
          // One question: between two the rows could be made.
          const answer = await pool.query<{ slots: number; behind: number }>(
            "select count(*)::int as slots, count(*) filter (where position < $1)::int as behind from projector.checkpoints where projection = 'catalog'",
            [position],
          );
          return answer.rows[0];
        },
        { timeout: 20_000 },
      )
      .toEqual({ slots: 64, behind: 0 });
  }

  const names = async () =>
    (await pool.query<{ name: string; revision: string }>('select name, revision from catalog_g1.selections')).rows;
  const expectAll = async (selections: number, renames: number) => {
    const rows = await names();
    expect(rows).toHaveLength(selections);
    expect(rows.every(({ name, revision }) => name === `name ${renames}` && Number(revision) === renames)).toBe(true);
  };

  test('applies what is in the log and what comes later', async () => {
    await write(20, 2);
    const status = run();
    await settled(await log.head());
    expect(status.state).toBe('running');
    await settled(await write(5, 2));
    await expectAll(25, 2);
  });

  test('loss, repetition and reordering on the way lose nothing and are counted', async () => {
    const direct = directTransport(log, systemRuntime);
    let seed = 42;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x7fffffff;
    };
    const lossy: Transport = {
      async *deliver(reader, from, signal) {
        for await (const { events, watermarks } of direct.deliver(reader, from, signal)) {
          const scrambled = events
            .filter(() => random() > 0.2)
            .flatMap((event) => (random() < 0.2 ? [event, event] : [event]));
          for (let index = scrambled.length - 1; index > 0; index--)
            if (random() < 0.3)
              [scrambled[index - 1], scrambled[index]] = [scrambled[index] as never, scrambled[index - 1] as never];
          // Single deliveries, so that checkpoints move between them.
          for (const event of scrambled) yield { events: [event], watermarks: [] };
          yield { events: [], watermarks };
        }
      },
    };
    const counted = async (metric: 'gaps' | 'duplicates') =>
      (await projectorMetrics[metric].get()).values.reduce((sum, { value }) => sum + value, 0);
    const before = { gaps: await counted('gaps'), duplicates: await counted('duplicates') };
    run(lossy);
    await settled(await write(15, 6));
    await expectAll(15, 6);
    expect(await counted('gaps')).toBeGreaterThan(before.gaps);
    expect(await counted('duplicates')).toBeGreaterThan(before.duplicates);
  });

  /** Brings nothing but the last event of the log, or what is made of it, as if all before had been lost. */
  const onlyLast = (change: (delivered: DeliveredEvent) => DeliveredEvent = (delivered) => delivered): Transport => ({
    async *deliver(_reader, _from, signal) {
      const last = await log.readAt(await log.head());
      if (!last) throw new Error('the log is empty');
      const slot = slotOf(last.metadata.tenant);
      // An event just before it: what the relay says of the slot.
      const previous = positionOf(log.id, (numbersOf(last.position)[0] ?? 0n) - 1n);
      yield { events: [change({ slot, previous, ordinal: 7, event: last })], watermarks: [] };
      while (!signal.aborted) {
        await systemRuntime.sleep(100, signal);
        yield { events: [], watermarks: [] };
      }
    },
  });

  test('a gap as long as the log is read by pages, each applied before the next, with signs of life between', async () => {
    await write(1_500, 2);
    const reads: number[] = [];
    let applied = 0;
    const real = log;
    log = {
      ...real,
      async readAll(after, limit) {
        reads.push(applied);
        return real.readAll(after, limit);
      },
    };
    const last = await real.readAt(await real.head());
    let ticks = 0;
    const status = run(onlyLast(), async () => void applied++);
    let tickedAt = status.tickedAt;
    await expect
      .poll(
        async () => {
          if (status.tickedAt !== tickedAt) ticks++;
          tickedAt = status.tickedAt;
          return (await pool.query('select ordinal from projector.checkpoints where event_id = $1', [last?.id])).rows;
        },
        { timeout: 20_000, interval: 10 },
      )
      .toEqual([{ ordinal: null }]);
    expect(ticks).toBeGreaterThan(0);
    // Three pages of 4,500 events, and each was applied before the next was read.
    expect(reads.filter((transactions, index) => index > 0 && transactions > (reads[index - 1] as number)).length).toBe(
      2,
    );
    const names = await pool.query('select distinct name from catalog_g1.selections where tenant = $1', [
      last?.metadata.tenant,
    ]);
    expect(names.rows).toEqual([{ name: 'name 2' }]);
  });

  test('an event that the log does not hold is never applied, and the projection says so', async () => {
    await write(3, 1);
    const beyond = positionOf(log.id, (numbersOf(await log.head())[0] ?? 0n) + 5n);
    const status = run(onlyLast((delivered) => ({ ...delivered, event: { ...delivered.event, position: beyond } })));
    await expect.poll(() => status.error).toMatch(/the event log ends at .*, before/);
    const made = await pool.query(
      "select max(position) as position from projector.checkpoints where projection = 'catalog'",
    );
    expect(made.rows[0]?.position < beyond).toBe(true);
  });

  test('the count that comes with events is kept, and goes on over what was read from the log', async () => {
    const position = await write(1, 3);
    const { events } = await log.readAll(log.start, 10);
    const [first, , third, fourth] = events;
    const slot = slotOf(first?.metadata.tenant as string);
    const told = (event: RecordedEvent | undefined, previous: string, ordinal: number): Delivery => ({
      events: [{ slot, previous, ordinal, event: event as RecordedEvent }],
      watermarks: [],
    });
    run({
      async *deliver(_reader, _from, signal) {
        yield told(first, log.start, 41);
        // The second is lost: the third is a gap, read from the log with it.
        yield told(third, positionOf(log.id, 2), 43);
        yield told(fourth, third?.position as string, 44);
        await systemRuntime.sleep(60_000, signal);
      },
    });
    const counted = async () =>
      (
        await pool.query(
          'select ordinal, position from projector.checkpoints where slot = $1 and event_id is not null',
          [slot],
        )
      ).rows;
    await expect.poll(counted).toEqual([{ ordinal: '44', position }]);
  });

  test('of two projectors on the same slots exactly one wins each batch, and the work goes on', async () => {
    const statuses = [run(), run(), run()];
    for (let round = 0; round < 5; round++) await settled(await write(10, 3));
    await expectAll(50, 3);
    expect(statuses.map(({ state }) => state)).toEqual(['running', 'running', 'running']);
  });

  test('connections that are cut in the middle of batches neither lose nor double anything', async () => {
    pool.on('error', () => undefined);
    run();
    const admin = new Pool({ connectionString: database.url, max: 1, application_name: 'cutter' });
    for (let round = 0; round < 6; round++) {
      const written = write(30, 3).catch(() => undefined);
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name <> 'cutter' and query like '%projector.checkpoints%'",
      );
      await written;
    }
    await admin.end();
    await settled(await log.head());
    const counted = await pool.query<{ revision: string; last: string }>(
      `select s.revision, (select max(e.revision) from event_log.events e where e.stream = 'selection-' || s.id) as last from catalog_g1.selections s`,
    );
    expect(counted.rows.length).toBeGreaterThan(0);
    expect(counted.rows.every(({ revision, last }) => revision === last)).toBe(true);
  });

  test('with nothing to do it goes on showing signs of life', async () => {
    const status = run();
    await settled(await write(1, 0));
    for (let beat = 0; beat < 2; beat++) {
      const seen = status.tickedAt;
      await expect.poll(() => status.tickedAt, { timeout: 5_000 }).toBeGreaterThan(seen);
    }
  });

  test('a log that was exchanged under the read models stops the projection, which says to rebuild', async () => {
    const first = run();
    await settled(await write(3, 1));
    expect(first.state).toBe('running');
    stop.abort();
    await Promise.all(loops);
    stop = new AbortController();
    await pool.query('update projector.checkpoints set event_id = gen_random_uuid() where event_id is not null');
    const second = run();
    await expect.poll(() => second.error).toMatch(/npx cool-mint rebuild all/);
  });
});
