import { createHash, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Command } from '#command-service/command.ts';
import type { Decision } from '#command-service/decision.ts';
import { handleCommand, nothingToResolve } from '#command-service/handle-command.ts';
import { completePlannedAppends } from '#command-service/planned-appends.ts';
import {
  changeSelection,
  givenByIds,
  openSelection,
  type SelectionState,
  selectActivities,
  selectionEvolution,
} from '#command-service/selection/decider.ts';
import { type EventLog, LogUnavailable } from '#shared/event-log/event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { commandId, streamName } from '#shared/events/stream-name.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';

const tenant = 'acme';
let database: TestDatabase;
let pool: Pool;
let log: EventLog;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 'test', 10, pino({ level: 'silent' }));
  log = await postgresEventLog({ pool, directUrl: database.url });
});
afterAll(async () => {
  await log.close();
  await pool.end();
  await database.drop();
});

const command = (key: string, asked: unknown, more: Partial<Command> = {}): Command => ({
  tenant,
  actor: 'user-1',
  id: commandId(tenant, 'user-1', 'TEST', key),
  requestHash: createHash('sha256').update(JSON.stringify(asked)).digest('hex'),
  correlationId: randomUUID(),
  now: new Date(),
  ifMatch: null,
  origin: { actorName: 'Ann', clientAddress: '127.0.0.1', userAgent: 'test' },
  ...more,
});

const run = (given: Command, id: string, decide: (state: SelectionState) => Decision, on: EventLog = log) =>
  handleCommand({ pool, log: on }, given, {
    tenant,
    stream: streamName.selection(id),
    evolution: selectionEvolution,
    resolve: nothingToResolve,
    decide,
  });

const opening = {
  name: 'First',
  purpose: null,
  copiedFrom: null,
  items: [],
  ...givenByIds,
  freeze: false,
  position: 'none',
};
const opened = async () => {
  const id = randomUUID();
  await run(command(randomUUID(), 'open'), id, (state) => openSelection(state, opening));
  return id;
};
const rename = (name: string) => (state: SelectionState) => changeSelection(state, { name });
const eventsOf = (id: string) => Array.fromAsync(log.readStream(tenant, streamName.selection(id)));

describe('the kernel', () => {
  test('a command sent twice records once and answers as the first time, also after later events', async () => {
    const id = await opened();
    const key = randomUUID();
    const first = await run(command(key, 'Second'), id, rename('Second'));
    await run(command(randomUUID(), 'Third'), id, rename('Third'));
    const again = await run(command(key, 'Second'), id, rename('Second'));
    expect(first).toMatchObject({ outcome: 'recorded', revision: 1, state: { name: 'Second' } });
    expect(again).toMatchObject({ outcome: 'repeated', revision: 1, state: { name: 'Second' } });
    expect(again).toMatchObject({ position: (first as { position: string }).position });
    expect(await eventsOf(id)).toHaveLength(3);
  });

  test('another request under the same key is refused and records nothing', async () => {
    const id = await opened();
    const key = randomUUID();
    await run(command(key, 'Second'), id, rename('Second'));
    expect(await run(command(key, 'Other'), id, rename('Other'))).toMatchObject({ code: 'idempotency-key-reused' });
    expect(await eventsOf(id)).toHaveLength(2);
  });

  test('a command that recorded nothing is decided afresh', async () => {
    const id = await opened();
    const key = randomUUID();
    expect(await run(command(key, 'First'), id, rename('First'))).toMatchObject({ outcome: 'already', revision: 0 });
    await run(command(randomUUID(), 'Second'), id, rename('Second'));
    expect(await run(command(key, 'First'), id, rename('First'))).toMatchObject({ outcome: 'recorded', revision: 2 });
  });

  test('If-Match of another revision is refused; a repeat is answered before it is looked at', async () => {
    const id = await opened();
    const key = randomUUID();
    expect(await run(command(key, 'x', { ifMatch: 4 }), id, rename('x'))).toMatchObject({ code: 'revision-differs' });
    expect(await run(command(key, 'x', { ifMatch: 0 }), id, rename('x'))).toMatchObject({ outcome: 'recorded' });
    expect(await run(command(key, 'x', { ifMatch: 0 }), id, rename('x'))).toMatchObject({ outcome: 'repeated' });
  });

  test('of fifteen writers at once each decides on what the one before left', async () => {
    const id = await opened();
    const results = await Promise.all(
      Array.from({ length: 15 }, (_, index) =>
        run(command(randomUUID(), index), id, (state) => changeSelection(state, { name: `${state.name}.` })),
      ),
    );
    expect(new Set(results.map((result) => (result as { revision: number }).revision)).size).toBe(15);
    expect((await eventsOf(id)).at(-1)?.data).toEqual({ name: `First${'.'.repeat(15)}` });
  });

  test('the origin is kept beside the events, not in them', async () => {
    const id = await opened();
    const given = command(randomUUID(), 'x');
    await run(given, id, rename('x'));
    const origin = await pool.query(
      'select actor_name, client_address, user_agent from command.request_origins where correlation_id = $1',
      [given.correlationId],
    );
    expect(origin.rows).toEqual([{ actor_name: 'Ann', client_address: '127.0.0.1', user_agent: 'test' }]);
    expect(JSON.stringify((await eventsOf(id)).at(-1))).not.toContain('Ann');
  });
});

describe('an append that is too large for one call', () => {
  const items = Array.from({ length: 9_000 }, (_, index) => ({
    activityId: randomUUID(),
    revision: index,
    contentHash: `h1:${'a'.repeat(64)}`,
  }));
  const fill = (state: SelectionState) => selectActivities(state, items, givenByIds);
  const parts = (events: readonly { data: unknown }[]) =>
    events.slice(1).map((event) => (event.data as { part: number }).part);
  const allParts = Array.from({ length: 9 }, (_, index) => index + 1);

  /** A log whose connection is lost at the n-th append from now on. */
  const failingAt = (n: number): EventLog => {
    let count = 0;
    return {
      ...log,
      append: async (appends) => {
        if (++count >= n) throw new LogUnavailable('cut');
        return log.append(appends);
      },
    };
  };

  test('goes through whole', async () => {
    const id = await opened();
    expect(await run(command(randomUUID(), 'fill'), id, fill)).toMatchObject({ outcome: 'recorded', revision: 9 });
    expect(parts(await eventsOf(id))).toEqual(allParts);
  });

  test.each([1, 2])(
    'cut at call %i, a starting server completes it, and the repeat answers as if nothing had happened',
    async (n) => {
      const id = await opened();
      const key = randomUUID();
      await expect(run(command(key, 'fill'), id, fill, failingAt(n))).rejects.toBeInstanceOf(LogUnavailable);
      expect((await eventsOf(id)).length).toBeLessThan(10);
      expect(await completePlannedAppends(pool, log)).toBe(1);
      expect(parts(await eventsOf(id))).toEqual(allParts);
      expect(await run(command(key, 'fill'), id, fill)).toMatchObject({ outcome: 'repeated', revision: 9 });
    },
  );

  test('cut, then repeated by its caller before any restart, it is completed by the repeat', async () => {
    const id = await opened();
    const key = randomUUID();
    await expect(run(command(key, 'fill'), id, fill, failingAt(2))).rejects.toBeInstanceOf(LogUnavailable);
    expect(await run(command(key, 'fill'), id, fill)).toMatchObject({ outcome: 'repeated', revision: 9 });
    expect(parts(await eventsOf(id))).toEqual(allParts);
    expect(await completePlannedAppends(pool, log)).toBe(0);
  });

  test('cut, then thrown away, it is given up', async () => {
    const id = await opened();
    await expect(run(command(randomUUID(), 'fill'), id, fill, failingAt(2))).rejects.toBeInstanceOf(LogUnavailable);
    const { discardSelection } = await import('#command-service/selection/decider.ts');
    await run(command(randomUUID(), 'discard'), id, (state) => discardSelection(state, null));
    await completePlannedAppends(pool, log);
    expect((await eventsOf(id)).at(-1)?.type).toBe('SelectionDiscarded');
  });
});
