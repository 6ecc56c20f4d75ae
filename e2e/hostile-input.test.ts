import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Api } from './support/api.ts';
import { type System, startSystem } from './support/system.ts';

let system: System;
let api: Api;

beforeAll(async () => {
  system = await startSystem();
  api = await system.api('acme');
});
afterAll(() => system[Symbol.asyncDispose]());

/** Imports lines of NDJSON as one run; answers the totals and the position. */
async function importLines(lines: readonly object[], source = 'ndjson:hostile') {
  const run = await api.ok(api.post('/sync-runs', { source }));
  await api.ok(
    api.call('PUT', `/sync-runs/${run.body.id}/parts/1`, undefined, {
      raw: lines.map((line) => JSON.stringify(line)).join('\n'),
      headers: { 'Content-Type': 'application/x-ndjson' },
    }),
  );
  const done = await api.ok(api.post(`/sync-runs/${run.body.id}/complete`));
  return { totals: done.body.totals, position: done.position };
}
const visible = (position: string) =>
  api.ok(api.get('/activities?limit=1', { 'Cool-Mint-Min-Position': position, Prefer: 'wait=20' }));
const idOf = async (sourceId: string): Promise<string> =>
  (await api.ok(api.get('/activities?limit=200'))).body.data.find(
    (row: { sourceId: string }) => row.sourceId === sourceId,
  ).id;

describe('whatever an import takes, the read models can hold', () => {
  test('a time that a zone shifts to before the year 1 is rejected', async () => {
    const { totals, position } = await importLines([
      { id: 'y0', subject: 'x', occurredAt: '0001-01-01T00:00:00+05:00' },
    ]);
    expect(totals).toMatchObject({ rejected: 1, recorded: 0 });
    await visible(position);
  });

  test('a name of thousands of characters, and a text of compound words', async () => {
    const compound = Array.from(
      { length: 6_000 },
      (_, index) => `\u10d0${index}-\u10d1${index}-\u10d2\u10d3\u10d4${index}`,
    ).join(' ');
    const run = await api.ok(api.post('/sync-runs', {}));
    const name = Array.from({ length: 12_000 }, (_, index) => ((index * 7919) % 16).toString(16)).join('');
    const part = (number: number, object: string, raw: string) =>
      api.ok(
        api.call('PUT', `/sync-runs/${run.body.id}/parts/${number}?object=${object}`, undefined, {
          raw,
          headers: { 'Content-Type': 'text/csv' },
        }),
      );
    await part(1, 'Contact', `Id,Name\n003000000000001,${name}`);
    await part(
      2,
      'Task',
      `Id,Subject,Description\n00T000000000001,${compound.slice(0, 500)},"${compound.slice(0, 130_000)}"`,
    );
    const done = await api.ok(api.post(`/sync-runs/${run.body.id}/complete`));
    expect(done.body.totals).toMatchObject({ recorded: 2, rejected: 0 });
    await visible(done.position);
  });

  test('five hundred rejects with long reasons are told, and the run goes on', async () => {
    const { totals } = await importLines(
      Array.from({ length: 500 }, (_, index) => ({ id: `r${index}`, [`${'日'.repeat(400)}${index}`]: 1 })),
    );
    expect(totals).toMatchObject({ rejected: 500 });
  });

  test('a batch of large bodies', async () => {
    const { totals, position } = await importLines(
      Array.from({ length: 400 }, (_, index) => ({
        id: `large${index}`,
        subject: 'large',
        body: `${index} ${'text '.repeat(20_000)}`,
      })),
    );
    expect(totals).toMatchObject({ recorded: 400 });
    await visible(position);
  });
});

describe('a partial record', () => {
  test('keeps the kind and the outcome that were given before', async () => {
    await importLines([{ id: 'c1', subject: 'x', kind: 'call', outcome: 'answered' }]);
    const { position } = await importLines([{ id: 'c1', status: 'done' }]);
    await visible(position);
    const detail = await api.ok(api.get(`/activities/${await idOf('c1')}`));
    expect(detail.body).toMatchObject({ kind: 'call', outcome: 'answered', status: 'done' });
  });

  test('of a meeting moves it, and the whole record later moves it again', async () => {
    await importLines([{ id: 'm1', kind: 'meeting', occurredAt: '2026-01-01T10:00:00Z' }]);
    await importLines([{ id: 'm1', occurredAt: '2026-01-01T12:00:00Z' }]);
    const { position } = await importLines([{ id: 'm1', kind: 'meeting', occurredAt: '2026-02-02T10:00:00Z' }]);
    await visible(position);
    const detail = await api.ok(api.get(`/activities/${await idOf('m1')}`));
    expect(detail.body).toMatchObject({ kind: 'meeting', occurredAt: '2026-02-02T10:00:00.000Z' });
  });
});

describe('taking activities out by a filter', () => {
  test('sees what the selection itself has just taken in, and obeys the filter as it was sent', async () => {
    const { position } = await importLines(
      Array.from({ length: 10 }, (_, index) => ({
        id: `s${index}`,
        subject: `taking ${index}`,
        kind: index < 2 ? 'call' : 'email',
      })),
      'ndjson:taking',
    );
    await visible(position);
    const rows = (await api.ok(api.get('/activities?limit=200&text=taking'))).body.data;
    const ids = rows.map((row: { id: string }) => row.id);
    const other = await api.ok(api.post('/selections', { name: 'other' }));
    await api.ok(api.post(`/selections/${other.body.id}/activities`, { ids: ids.slice(0, 3) }));
    for (let round = 0; round < 10; round++) {
      const made = await api.ok(api.post('/selections', { name: 'made' }));
      const url = `/selections/${made.body.id}/activities`;
      await api.ok(api.post(url, { ids }));
      expect((await api.ok(api.post(`${url}/remove`, { filter: { selection: other.body.id } }))).body.count).toBe(7);
      expect((await api.ok(api.post(`${url}/remove`, { filter: {} }))).body.count).toBe(0);
    }
  });
});

describe('odd requests', () => {
  test('half a surrogate pair is refused, not an error of ours', async () => {
    for (const raw of ['{"name":"\\ud800"}'])
      expect(
        (await api.call('POST', '/selections', undefined, { raw, headers: { 'Content-Type': 'application/json' } }))
          .status,
      ).toBe(422);
  });

  test('an id in upper case means the same', async () => {
    const made = await api.ok(api.post('/selections', { name: 'upper' }));
    expect((await api.patch(`/selections/${made.body.id.toUpperCase()}`, { name: 'lower' })).status).toBe(200);
  });

  test('an export that cannot be is a problem, not a broken stream', async () => {
    expect((await api.get('/audit/export?format=csv&at[gte]=0000-01-01T00:00:00Z')).status).toBe(400);
  });

  test('a part sent again with other content is refused, a run is not completed while a part arrives', async () => {
    const run = await api.ok(api.post('/sync-runs', { source: 'ndjson:again' }));
    const send = (lines: string) =>
      api.call('PUT', `/sync-runs/${run.body.id}/parts/1`, undefined, {
        raw: lines,
        headers: { 'Content-Type': 'application/x-ndjson' },
      });
    expect((await send('{"id":"a1","subject":"x"}')).status).toBe(200);
    expect((await send('{"id":"a1","subject":"x"}')).status).toBe(200);
    expect((await send('{"id":"a2","subject":"x"}')).body.code).toBe('digest-differs');
  });

  test('one command sent several times at once is answered as the log holds it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        api.post(
          '/activities/selection',
          { name: 'once', filter: { kind: ['call'] } },
          { 'Idempotency-Key': 'at-once' },
        ),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.digest)).size).toBe(1);
  });
});
