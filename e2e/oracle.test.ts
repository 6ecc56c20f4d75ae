/**
 * Fold of all events = read models = rebuilt read models, row by row; and every answer is what the log held at the
 * position that it states, while commands go on and a rebuild swaps the tables beneath it. On other logs and transports
 * than those of one machine it is a shorter walk over the same ground; LONG=on makes it whole there, too.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { random } from '#shared/demo/random.ts';
import { activityId } from '#shared/events/stream-name.ts';
import { longTests } from '#shared/testing/config.ts';
import { testEventStore } from '#shared/testing/test-event-store.ts';
import { testKafka } from '#shared/testing/test-kafka.ts';
import { slotOf } from '#shared/transport/slot.ts';
import { Oracle } from './oracle.ts';
import { oracleQueries } from './oracle-queries.ts';
import { type Answer, type Api, type Json, newKey } from './support/api.ts';
import { compareWithOracle } from './support/compare.ts';
import { csvOf, importFiles } from './support/import-files.ts';
import { expectProblem } from './support/problem.ts';
import { rebuild } from './support/rebuild.ts';
import { ids, sourceData } from './support/source-data.ts';
import { isBehindGateway, type System, startSystem } from './support/system.ts';
import { randomFilter, runWorkload, seedOf } from './support/workload.ts';

const seed = 20_261_121;
const whole = longTests() || (testEventStore() === null && testKafka() === null && !isBehindGateway());
const answersWanted = whole ? 500 : 120;
const swapsWanted = whole ? 3 : 1;
const firstRounds = whole ? 70 : 30;
/** Activities of the tenant whose selections take several events, and the whole walk several appends. */
const [many, some, removed] = whole ? [7_400, 2_500, 1_700] : [2_300, 1_500, 1_100];

/** Names of two tenants whose events share a slot, so that a slot is never taken for a tenant. */
function sharingSlot(): [string, string] {
  for (let n = 1; ; n++) if (slotOf(`twin-${n}`) === slotOf('twin-0')) return ['twin-0', `twin-${n}`];
}
const tenants = ['acme', 'globex', 'initech', 'umbrella', ...sharingSlot()];

/** Whether a view comes in time is not the question here. */
const patient = { Prefer: 'wait=30' };

let system: System;
const apis = new Map<string, Api>();
const selections = new Map<string, string[]>();

async function work(seedNow: number, rounds: number): Promise<void> {
  await Promise.all(
    tenants.map(async (tenant, index) => {
      const opened = await runWorkload(apis.get(tenant)!, { seed: seedOf(seedNow, index), rounds, tasks: 90 });
      selections.set(tenant, [...(selections.get(tenant) ?? []), ...opened]);
    }),
  );
}

/** Selections that take several events, and some that take more than one append. */
async function workAtScale(api: Api): Promise<void> {
  const data = sourceData(seed);
  const rows = Array.from({ length: many }, (_, index) => ({
    ...data.task(index, 1),
    IsDeleted: 'false',
    CallDurationInSeconds: '',
  }));
  const { position, totals } = await importFiles(api, [{ object: 'Task', text: csvOf(rows) }]);
  expect(totals).toMatchObject({ received: many, recorded: many, rejected: 0 });
  const behind = { 'Cool-Mint-Min-Position': position, Prefer: 'wait=30' };
  const key = newKey();
  const big = await api.ok(
    api.post('/activities/selection', { name: 'All of it', filter: {} }, { ...behind, ...key }),
    201,
  );
  const repeated = await api.ok(
    api.post('/activities/selection', { name: 'All of it', filter: {} }, { ...behind, ...key }),
    201,
  );
  expect([repeated.body, repeated.position]).toEqual([big.body, big.position]);
  expect(big.body).toMatchObject({ status: 'frozen', count: many, filling: false });
  const opened = await api.ok(api.post('/selections', { name: 'By ids' }), 201);
  const path = `/selections/${opened.body.id}`;
  const chosen = Array.from({ length: some }, (_, index) => activityId(api.tenant, 'salesforce', ids.task(index)));
  expect((await api.ok(api.post(`${path}/activities`, { ids: chosen }))).body.count).toBe(some);
  expect((await api.ok(api.post(`${path}/activities`, { filter: {} }, behind))).body.count).toBe(many);
  const less = await api.ok(api.post(`${path}/activities/remove`, { ids: chosen.slice(0, removed) }));
  expect(less.body.count).toBe(many - removed);
  const copied = await api.ok(api.post(`/selections/${big.body.id}/copy`, { name: 'Copy' }), 201);
  expect(copied.body).toMatchObject({ status: 'open', count: many, filling: false });
  await api.ok(api.post(`/selections/${copied.body.id}/discard`));
}

beforeAll(async () => {
  system = await startSystem();
  for (const tenant of [...tenants, 'large']) apis.set(tenant, await system.api({ tenant, headers: patient }));
  await Promise.all([work(seed, firstRounds), workAtScale(apis.get('large')!)]);
}, 180_000);
afterAll(() => system[Symbol.asyncDispose]());

describe('the read models', () => {
  test('hold, row by row, what a naive fold of the log says', { timeout: 60_000 }, async () => {
    const types = new Map<string, number>();
    for (const { type } of await system.events()) types.set(type, (types.get(type) ?? 0) + 1);
    expect([...types.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(many + 600);
    for (const type of [
      'ActivityRestored',
      'RelatedRecordDeleted',
      'SyncCancelled',
      'ActivitiesDeselected',
      'SelectionReopened',
      'SelectionShared',
    ])
      expect(types.get(type), type).toBeGreaterThan(0);
    expect(await compareWithOracle(system)).toEqual([]);
  });

  test('are the same after a restart on the same database, also while more is recorded', {
    timeout: 60_000,
  }, async () => {
    await system.restart();
    for (const tenant of [...tenants, 'large']) apis.set(tenant, await system.api({ tenant, headers: patient }));
    expect(await compareWithOracle(system)).toEqual([]);
    await work(seed + 1, 8);
    expect(await compareWithOracle(system)).toEqual([]);
  });

  test('are untouched by a rebuild that is cancelled, which leaves nothing behind', async () => {
    const api = apis.get('acme')!;
    const generations = async () =>
      (
        await system.machine.pool.query(
          "select generation, state from projector.generations where projection = 'catalog' order by 1",
        )
      ).rows;
    const before = await generations();
    const client = await system.machine.pool.connect();
    let cancelled: Answer;
    try {
      // What a rebuild needs before each of its transactions: while it is held here, the rebuild cannot get far.
      await client.query("begin; select pg_advisory_xact_lock(hashtextextended('catalog', 4402))");
      const started = await api.ok(api.post('/projections/catalog/rebuilds'), 202);
      expectProblem(await api.post('/projections/catalog/rebuilds'), 409, 'rebuild-running');
      await expect.poll(generations, { timeout: 10_000 }).toHaveLength(before.length + 1);
      cancelled = await api.ok(api.post(`${started.headers.get('location')}/cancel`));
      expect(cancelled.body.status).toBe('cancelled');
    } finally {
      await client.query('rollback');
      client.release();
    }
    await expect.poll(generations, { timeout: 10_000 }).toEqual(before);
    const projections = (await api.ok(api.get('/projections'))).body.data;
    expect(projections.map(({ rebuild }: Json) => rebuild)).toEqual([null, null, null]);
    expect(await compareWithOracle(system)).toEqual([]);
    expect(
      (await system.events()).filter(({ position }) => position > cancelled.position).map(({ type }) => type),
    ).toEqual([]);
  });

  test.each(['catalog', 'audit', 'operations'])(
    'are the same after %s was rebuilt',
    { timeout: 60_000 },
    async (name) => {
      const before = await compareWithOracle(system);
      const { fromGeneration, toGeneration } = await rebuild(apis.get('acme')!, name);
      expect(toGeneration).toBe(fromGeneration + 1);
      expect([before, await compareWithOracle(system)]).toEqual([[], []]);
    },
  );
});

interface Asked {
  readonly tenant: string;
  readonly what: string;
  readonly answer: Answer;
  /** What the oracle says, once it stands where the answer does. */
  readonly expected: (queries: ReturnType<typeof oracleQueries>) => unknown;
  readonly found: unknown;
}

const sorts = ['occurredAt', '-occurredAt', 'dueOn', '-dueOn', 'modifiedAt', '-modifiedAt', 'duration', '-duration'];

/** A filter as query parameters. */
function parametersOf(filter: Readonly<Record<string, unknown>>): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [field, value] of Object.entries(filter)) {
    if (Array.isArray(value))
      for (const one of value) one === null ? parameters.set(`${field}[null]`, 'true') : parameters.append(field, one);
    else if (typeof value === 'object')
      for (const [bound, limit] of Object.entries(value as object)) parameters.set(`${field}[${bound}]`, String(limit));
    else parameters.set(field, String(value));
  }
  return parameters;
}

/** Times with an offset are compared as the instants they are. */
function inUtc(filter: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const range = filter['occurredAt'] as Record<string, string> | undefined;
  if (!range) return filter;
  return {
    ...filter,
    occurredAt: Object.fromEntries(Object.entries(range).map(([bound, time]) => [bound, new Date(time).toISOString()])),
  };
}

async function ask(draw: ReturnType<typeof random>, last: { position: string }): Promise<Asked> {
  const tenant = draw.pick(tenants);
  const api = apis.get(tenant)!;
  const opened = selections.get(tenant)!;
  const demand = draw.chance(0.3) && last.position !== '' ? { 'Cool-Mint-Min-Position': last.position } : {};
  const get = async (path: string) => {
    const answer = await api.get(path, demand);
    const { asOf, ...found } = answer.body;
    if (answer.status === 200 && 'Cool-Mint-Min-Position' in demand)
      expect(asOf.position >= demand['Cool-Mint-Min-Position'], path).toBe(true);
    return { tenant, what: path, answer, found };
  };
  const kind = draw.below(10);
  if (kind < 6) {
    const filter = randomFilter({ draw }, opened) as Record<string, unknown>;
    const sort = draw.pick(sorts);
    const limit = draw.pick([5, 50, 200]);
    const parameters = parametersOf(filter);
    parameters.set('sort', sort);
    parameters.set('limit', String(limit));
    const asked = await get(`/activities?${parameters}`);
    return {
      ...asked,
      found: { data: asked.found.data, total: asked.found.total },
      expected: (queries) => {
        const all = queries.listed(tenant, inUtc(filter), sort);
        return { data: all.slice(0, limit), total: { value: all.length, exact: true } };
      },
    };
  }
  if (kind === 6) {
    const id = activityId(tenant, 'salesforce', ids.task(draw.below(90)));
    const asked = await get(`/activities/${id}`);
    return { ...asked, expected: (queries) => queries.detail(tenant, id) };
  }
  if (kind === 7) {
    const asked = await get('/selections?limit=200');
    return { ...asked, found: asked.found.data, expected: (queries) => queries.selections(tenant) };
  }
  const id = draw.pick(opened);
  if (kind === 8) return { ...(await get(`/selections/${id}`)), expected: (queries) => queries.selection(tenant, id) };
  const asked = await get(`/selections/${id}/activities?limit=200`);
  return { ...asked, found: asked.found.data, expected: (queries) => queries.content(tenant, id).slice(0, 200) };
}

test(`${answersWanted} answers while catalog is rebuilt and swapped under concurrent commands are each what the log held at their own position`, {
  timeout: 300_000,
}, async () => {
  // What only a discarded selection holds is not selected.
  for (const tenant of tenants) {
    const api = apis.get(tenant)!;
    const { body, position } = await api.ok(api.post('/selections', { name: 'Thrown away' }), 201);
    const rest = { filter: { selected: false } };
    const path = `/selections/${body.id}`;
    expect(
      (await api.ok(api.post(`${path}/activities`, rest, { 'Cool-Mint-Min-Position': position }))).body.count,
    ).toBeGreaterThan(0);
    await api.ok(api.post(`${path}/discard`));
    selections.get(tenant)!.push(body.id);
  }
  const last = { position: '' };
  const asked: Asked[] = [];
  let swaps = 0;
  /** Some are asked after the last swap, too. */
  let enough = answersWanted;
  let working = true;
  const workers = Promise.all([
    (async () => {
      for (let round = 0; swaps < swapsWanted || asked.length < enough; round++) {
        await work(seed + 100 + round, 3);
        last.position = await system.machine.log.head();
      }
      working = false;
    })(),
    (async () => {
      while (swaps < swapsWanted) {
        await rebuild(apis.get('globex')!, 'catalog');
        enough = Math.max(answersWanted, asked.length + 25);
        swaps++;
      }
    })(),
  ]);
  const readers = [1, 2, 3, 4].map(async (reader) => {
    const draw = random(seed, reader);
    while (working) {
      asked.push(await ask(draw, last));
      // A reader that never pauses would leave the rebuild no time on a small machine.
      await wait(5);
    }
  });
  await Promise.all([workers, ...readers]);

  const found = asked.filter(({ answer }) => answer.status === 200);
  expect(found.length).toBeGreaterThanOrEqual(answersWanted * 0.9);
  // An activity that is not recorded yet is no wrong answer, and nothing else may be refused.
  expect(
    asked.filter(({ answer }) => answer.status !== 200 && answer.status !== 404).map(({ answer }) => answer.body),
  ).toEqual([]);

  const events = await system.events();
  const swapped = events.filter(({ type }) => type === 'GenerationSwapped').map(({ position }) => position);
  const positions = found.map(({ answer }) => answer.body.asOf.position as string).sort();
  const between = swapped.filter((position) => position > positions[0]! && position < positions.at(-1)!);
  expect(between.length).toBeGreaterThan(0);

  const oracle = new Oracle();
  const queries = oracleQueries(oracle);
  let next = 0;
  const wrong: unknown[] = [];
  for (const { answer, ...one } of found.sort((a, b) =>
    a.answer.body.asOf.position < b.answer.body.asOf.position ? -1 : 1,
  )) {
    for (; next < events.length && events[next]!.position <= answer.body.asOf.position; next++)
      oracle.apply(events[next]!);
    const expected = one.expected(queries);
    if (!isDeepStrictEqual(one.found, expected))
      wrong.push({ what: one.what, asOf: answer.body.asOf, expected, found: one.found });
  }
  expect(wrong.slice(0, 2)).toEqual([]);
  expect(await compareWithOracle(system)).toEqual([]);
});
