/** What metrics count is what happened. */
import { once } from 'node:events';
import { get } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registry } from '#shared/telemetry/registry.ts';
import type { Api } from './support/api.ts';
import { csvOf, importFiles } from './support/import-files.ts';
import { type System, startSystem } from './support/system.ts';

let system: System;
let api: Api;

beforeAll(async () => {
  system = await startSystem();
  api = await system.api('acme');
});
afterAll(() => system[Symbol.asyncDispose]());

/** Value of the one series that has these labels; 0 where there is none. */
async function value(series: string): Promise<number> {
  const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  return Number(line?.split(' ')[1] ?? 0);
}

/** By how much each grew while the work was done. */
async function grown<K extends string>(series: Readonly<Record<K, string>>, work: () => Promise<unknown>) {
  const all = async () =>
    Object.fromEntries(
      await Promise.all(Object.entries<string>(series).map(async ([name, one]) => [name, await value(one)])),
    );
  const before = await all();
  await work();
  const after = await all();
  return Object.fromEntries(Object.keys(series).map((name) => [name, after[name] - before[name]]));
}

const commands = (outcome: string) =>
  `cool_mint_command_duration_seconds_count{category="selection",outcome="${outcome}"}`;

test('an answer that is asked for often is there before it is asked for again', { timeout: 30_000 }, async () => {
  const list = () => api.ok(api.get('/activities?kind=meeting&limit=7'), 200);
  const warm = 'cool_mint_cache_warmed_total{projection="catalog"}';
  const before = await value(warm);
  await list();
  await list();
  const { position } = await api.ok(api.post('/selections', { name: 'Changes the catalog' }), 201);
  await expect
    .poll(
      async () => {
        // A word of the projector brings it; without one nothing is done.
        await api.ok(api.post('/selections', { name: 'Once more' }), 201);
        return (await value(warm)) - before;
      },
      { timeout: 20_000, interval: 300 },
    )
    .toBeGreaterThan(0);
  await system.settle();
  await expect
    .poll(
      async () => {
        const hits = 'cool_mint_cache_lookups_total{projection="catalog",result="hit"}';
        const counted = await grown({ hits }, async () => {
          expect((await list()).body.asOf.position >= position).toBe(true);
        });
        return counted['hits'];
      },
      { timeout: 10_000 },
    )
    .toBe(1);
});

test('a command counts once, by what became of it', async () => {
  const counted = await grown(
    {
      recorded: commands('recorded'),
      repeated: commands('repeated'),
      refused: commands('refused'),
      already: commands('already'),
      problem: 'cool_mint_http_problems_total{code="revision-differs"}',
      events: 'cool_mint_event_log_events_total',
      conflicts: 'cool_mint_event_log_appends_total{outcome="conflict"}',
    },
    async () => {
      const key = { 'Idempotency-Key': 'once' };
      const open = () => api.post('/selections', { name: 'Counted', purpose: 'test' }, key);
      const { body } = await api.ok(open(), 201);
      await api.ok(open());
      await api.ok(api.patch(`/selections/${body.id}`, { name: 'Counted' }), 200);
      expect((await api.patch(`/selections/${body.id}`, { name: 'Other' }, { 'If-Match': '"7"' })).status).toBe(412);
    },
  );
  expect(counted).toEqual({ recorded: 1, repeated: 1, already: 1, refused: 1, problem: 1, events: 1, conflicts: 0 });
});

test('records of a sync run count by what became of them, as its totals say', async () => {
  const rows = [
    { Id: '00T000000000001', Subject: 'One', LastModifiedDate: '2026-01-01T00:00:00.000Z' },
    { Id: 'no id', Subject: 'Two', LastModifiedDate: '2026-01-01T00:00:00.000Z' },
  ];
  const records = (outcome: string) => `cool_mint_sync_records_total{outcome="${outcome}"}`;
  let totals: Record<string, number> = {};
  const counted = await grown(
    {
      recorded: records('recorded'),
      rejected: records('rejected'),
      unchanged: records('unchanged'),
      started: 'cool_mint_sync_runs_total{outcome="started"}',
      completed: 'cool_mint_sync_runs_total{outcome="completed"}',
      underWay: 'cool_mint_sync_parts_under_way',
    },
    async () => {
      ({ totals } = await importFiles(api, [{ object: 'Task', text: csvOf(rows) }]));
    },
  );
  expect(counted).toEqual({ recorded: 1, rejected: 1, unchanged: 0, started: 1, completed: 1, underWay: 0 });
  expect(totals).toMatchObject({ recorded: 1, rejected: 1 });
});

test('what was appended and what was applied are of the same time when all is applied', async () => {
  await api.ok(api.post('/selections', { name: 'Newest', purpose: 'test' }), 201);
  await system.settle();
  const appended = await value('cool_mint_event_log_append_timestamp_seconds');
  expect(appended).toBeGreaterThan(0);
  for (const projection of ['catalog', 'audit', 'operations'])
    await expect
      .poll(() => value(`cool_mint_projection_checkpoint_timestamp_seconds{projection="${projection}"}`))
      .toBe(appended);
});

test('a caller that goes away is not under way for ever', async () => {
  const gone = get(`${system.machine.url}/api/v1/audit/export?format=ndjson`, {
    headers: { authorization: `Bearer ${api.token}` },
  });
  gone.on('error', () => undefined);
  const [answer] = await once(gone, 'response');
  answer.destroy();
  gone.destroy();
  await expect.poll(() => value('cool_mint_exports_under_way')).toBe(0);
  await expect.poll(() => value('cool_mint_http_requests_under_way')).toBe(0);
});

test('connections of both pools are counted, within their limits', async () => {
  for (const pool of ['main', 'read-model']) {
    const states = ['active', 'idle', 'waiting'].map((state) =>
      value(`cool_mint_database_connections{pool="${pool}",state="${state}"}`),
    );
    const [active = 0, idle = 0, waiting] = await Promise.all(states);
    expect(active + idle).toBeGreaterThan(0);
    expect(active + idle).toBeLessThanOrEqual(await value(`cool_mint_database_connections_limit{pool="${pool}"}`));
    expect(waiting).toBe(0);
  }
});
