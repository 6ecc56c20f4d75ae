/** The interface as a careful and as a careless client meet it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activityId } from '#shared/events/stream-name.ts';
import { type Answer, type Api, type Json, newKey } from './support/api.ts';
import { csvOf, importFiles, ndjsonOf } from './support/import-files.ts';
import { expectProblem } from './support/problem.ts';
import { describedRoutes, nameOf } from './support/routes.ts';
import { ids } from './support/source-data.ts';
import { isBehindGateway, type System, startSystem } from './support/system.ts';

let system: System;
let api: Api;
const tasks = 61;
const task = (index: number) => activityId('http', 'salesforce', ids.task(index));

beforeAll(async () => {
  system = await startSystem();
  api = await system.api('http');
  // Many ties, and many without a value, in every column that can be sorted by.
  const of = (index: number, values: number, make: (value: number) => string) =>
    index % (values + 1) === 0 ? '' : make(index % values);
  const rows = Array.from({ length: tasks }, (_, index) => ({
    Id: ids.task(index),
    Subject: `Task ${index}`,
    CompletedDateTime: of(index, 3, (value) => `2026-01-0${value + 1}T10:00:00.123Z`),
    ActivityDate: of(index, 4, (value) => `2026-02-0${value + 1}`),
    SystemModstamp: of(index, 5, (value) => `2026-03-0${value + 1}T00:00:00Z`),
    CallDurationInSeconds: of(index, 2, (value) => String(value * 60)),
  }));
  const wrong = Array.from({ length: 30 }, (_, index) => ({ ...rows[0], Id: `wrong ${index}` }));
  const { position } = await importFiles(api, [
    { object: 'Task', text: csvOf([...rows, ...wrong] as Record<string, string>[]) },
  ]);
  await system.settle(position);
}, 60_000);
afterAll(() => system[Symbol.asyncDispose]());

const eventCount = async () => (await system.events()).length;
const open = async (headers = {}) =>
  api.ok(api.post('/selections', { name: 'A selection', purpose: 'p' }, headers), 201);

/** What must be the same when a command is answered again. */
const told = ({ status, body, position, headers }: Answer) => ({
  status,
  body,
  position,
  etag: headers.get('etag'),
  location: headers.get('location'),
  digest: headers.get('repr-digest'),
  type: headers.get('content-type'),
});

describe('a command with an Idempotency-Key', () => {
  test('answers as the first time, also after later events, and records once', async () => {
    const key = newKey();
    const first = await open(key);
    expect(told(first)).toMatchObject({ status: 201, etag: '"0"', location: `/api/v1/selections/${first.body.id}` });
    expect(told(await open(key))).toEqual(told(first));
    const path = `/selections/${first.body.id}`;
    const steps: (readonly [string, string, unknown])[] = [
      ['PATCH', path, { name: 'Another', purpose: 'q' }],
      ['POST', `${path}/activities`, { ids: [task(1), { id: task(2), revision: 0 }] }],
      ['POST', `${path}/activities`, { filter: { text: 'task' }, exclude: [task(5)] }],
      ['POST', `${path}/activities/remove`, { ids: [task(1)] }],
      ['POST', `${path}/discard`, { reason: 'r' }],
      ['POST', `${path}/reopen`, undefined],
      ['POST', `${path}/copy`, { name: 'Copy' }],
      ['POST', `${path}/freeze`, undefined],
      ['POST', `${path}/exports`, { format: 'ndjson' }],
      ['POST', `${path}/exports`, { format: 'markdown' }],
      ['POST', `${path}/shares`, { recipient: 'x@example.com' }],
      ['POST', '/activities/selection', { name: 'At once', ids: [task(3)] }],
      ['POST', '/sync-runs', { source: 'ndjson:keyed' }],
    ];
    const keys = steps.map(() => newKey());
    const run = () =>
      Promise.all(steps.map(() => undefined)).then(async () => {
        const answers = [];
        for (const [index, [method, to, body]] of steps.entries())
          answers.push(told(await api.ok(api.call(method, to, body, { headers: keys[index]! }))));
        return answers;
      });
    const answers = await run();
    const count = await eventCount();
    expect(await run()).toEqual(answers);
    expect(told(await open(key))).toEqual(told(first));
    expect(await eventCount()).toBe(count);
  });

  test('sent ten times at once is recorded once, and answered the same each time', async () => {
    const key = newKey();
    const before = await eventCount();
    const answers = await Promise.all(Array.from({ length: 10 }, () => open(key)));
    for (const answer of answers) expect(told(answer)).toEqual(told(answers[0]!));
    expect(await eventCount()).toBe(before + 1);
  });

  test('and another body is refused, and nothing is recorded', async () => {
    const key = newKey();
    const { body } = await open(key);
    const before = await eventCount();
    expectProblem(await api.post('/selections', { name: 'Something else' }, key), 422, 'idempotency-key-reused');
    const again = newKey();
    expectProblem(
      await api.post('/activities/selection', { name: 'x', ids: [task(1)], filter: {} }, key),
      422,
      'invalid-content',
    );
    await api.ok(api.patch(`/selections/${body.id}`, { name: 'One' }, again));
    expectProblem(await api.patch(`/selections/${body.id}`, { name: 'Two' }, again), 422, 'idempotency-key-reused');
    expect(await eventCount()).toBe(before + 1);
  });

  test('is another command for another actor, tenant or target', async () => {
    const key = newKey();
    const own = await open(key);
    const colleague = await system.api({ tenant: 'http', actor: 'colleague' });
    const stranger = await system.api({ tenant: 'elsewhere', actor: api.actor });
    const made = [own];
    for (const other of [colleague, stranger])
      made.push(await other.ok(other.post('/selections', { name: 'A selection', purpose: 'p' }, key), 201));
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(3);
    await api.ok(api.patch(`/selections/${own.body.id}`, { name: 'Own' }, key));
  });

  test('that was refused is decided afresh', async () => {
    const path = `/selections/${(await open()).body.id}`;
    const key = newKey();
    expectProblem(await api.post(`${path}/freeze`, undefined, key), 409, 'selection-empty');
    await api.ok(api.post(`${path}/activities`, { ids: [task(1)] }));
    expect((await api.ok(api.post(`${path}/freeze`, undefined, key))).body.status).toBe('frozen');
  });
});

describe('If-Match', () => {
  test('lets a change through at the revision that was seen, and refuses it at any other', async () => {
    const { body, headers } = await open();
    const path = `/selections/${body.id}`;
    const second = await api.ok(api.patch(path, { name: 'Second' }, { 'If-Match': headers.get('etag')! }));
    expect(second.headers.get('etag')).toBe('"1"');
    expectProblem(await api.patch(path, { name: 'Third' }, { 'If-Match': '"0"' }), 412, 'revision-differs');
    expectProblem(await api.patch(path, { name: 'Third' }, { 'If-Match': '"2"' }), 412, 'revision-differs');
    for (const malformed of ['1', 'W/"1"', '"one"', '"1", "2"', ''])
      expectProblem(
        await api.patch(path, { name: 'Third' }, { 'If-Match': malformed }),
        400,
        'malformed-request',
        malformed,
      );
    expect((await api.ok(api.patch(path, { name: 'Third' }, { 'If-Match': '*' }))).body.revision).toBe(2);
  });

  test('lets exactly one of many changes at once through', async () => {
    const path = `/selections/${(await open()).body.id}`;
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => api.patch(path, { name: `Name ${n}` }, { 'If-Match': '"0"' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe('If-None-Match', () => {
  const tagged = async (path: string, headers: Record<string, string> = {}, who = api) => {
    const answer = await who.get(path, headers);
    return { ...answer, etag: answer.headers.get('etag') ?? '', kept: answer.headers.get('cache-control') };
  };

  test('is answered 304 for as long as the thing is the same, whatever else happens', async () => {
    const opened = await open();
    const path = `/selections/${opened.body.id}`;
    const seen = { 'Cool-Mint-Min-Position': opened.position };
    const first = await tagged(path, seen);
    expect([first.status, first.kept]).toEqual([200, 'private, no-cache']);
    expect(first.etag).toMatch(/^W\/"0-[\w-]{16}"$/);
    expect(first.position).toBe(first.body.asOf.position);
    // Something else happens: the position moves, the selection does not.
    const elsewhere = await open();
    const demand = { 'Cool-Mint-Min-Position': elsewhere.position };
    for (const known of [first.etag, first.etag.slice(2), `"other", ${first.etag}`, '*']) {
      const again = await tagged(path, { ...demand, 'If-None-Match': known });
      expect([again.status, again.body, again.etag, again.kept]).toEqual([304, '', first.etag, 'private, no-cache']);
      expect(again.position >= elsewhere.position).toBe(true);
    }
    expect((await tagged(path, { ...demand, 'If-None-Match': '"0"' })).status).toBe(200);
    const renamed = await api.ok(api.patch(path, { name: 'Other' }, { 'If-Match': '"0"' }));
    const after = { 'Cool-Mint-Min-Position': renamed.position, 'If-None-Match': first.etag };
    expect(await tagged(path, after)).toMatchObject({ status: 200, body: { name: 'Other', revision: 1 } });
  });

  test('of an activity notices the name of its owner, which is of another stream', async () => {
    const tagger = await system.api('tags');
    const source = 'salesforce';
    const owner = { Id: '005000000000001AAA', Name: 'Ann' };
    const rows = [{ Id: ids.task(900), Subject: 'Owned', OwnerId: owner.Id }];
    const { position } = await importFiles(tagger, [{ object: 'Task', text: csvOf(rows) }], { source });
    const path = `/activities/${activityId('tags', source, ids.task(900))}`;
    const first = await tagged(path, { 'Cool-Mint-Min-Position': position }, tagger);
    const same = await tagged(path, { 'If-None-Match': first.etag }, tagger);
    expect(same.status).toBe(304);
    const later = await importFiles(tagger, [{ object: 'User', text: csvOf([owner]) }], { source });
    const after = { 'Cool-Mint-Min-Position': later.position, 'If-None-Match': first.etag };
    const named = await tagged(path, after, tagger);
    expect(named).toMatchObject({ status: 200, body: { revision: first.body.revision, owner: { name: 'Ann' } } });
  });

  test('of a sync run and of an entry of the audit trail says when they have changed, and that they have not', async () => {
    const tagger = await system.api('tags');
    const { run, position } = await importFiles(tagger, [{ object: 'Task', text: csvOf([{ Id: ids.task(901) }]) }]);
    const seen = { 'Cool-Mint-Min-Position': position };
    const entries = await tagger.ok(tagger.get('/audit?events=all&limit=1', seen));
    for (const path of [`/sync-runs/${run}`, `/audit/${entries.body.data[0].eventId}`]) {
      const first = await tagged(path, seen, tagger);
      expect([first.status, first.kept, first.body.asOf.position]).toEqual([200, 'private, no-cache', first.position]);
      const elsewhere = await open();
      const demand = { 'Cool-Mint-Min-Position': elsewhere.position, 'If-None-Match': first.etag };
      expect(await tagged(path, demand, tagger)).toMatchObject({ status: 304, body: '', etag: first.etag });
    }
    const started = await tagger.ok(tagger.post('/sync-runs', {}), 201);
    const path = `/sync-runs/${started.body.id}`;
    const running = await tagged(path, { 'Cool-Mint-Min-Position': started.position }, tagger);
    const cancelled = await tagger.ok(tagger.post(`${path}/cancel`, { reason: 'x' }));
    const after = { 'Cool-Mint-Min-Position': cancelled.position, 'If-None-Match': running.etag };
    expect(await tagged(path, after, tagger)).toMatchObject({
      status: 200,
      body: { status: 'cancelled', revision: 1 },
    });
  });

  test('of what is not there is a 404, and a view that is behind stays a problem', async () => {
    const path = `/selections/${randomUUID()}`;
    expectProblem(await api.get(path, { 'If-None-Match': '*' }), 404, 'not-found');
  });
});

describe('a question that is not understood', () => {
  test('is refused for a parameter that the route does not have, on every route', async () => {
    const fill: Record<string, string> = { id: randomUUID(), eventId: randomUUID(), part: '1', name: 'catalog' };
    for (const route of await describedRoutes(system.machine.url)) {
      if (route.method !== 'GET') continue;
      const format = route.path.endsWith('/export') ? '&format=csv' : '';
      const answer = await api.get(
        `${route.path.replace(/\{(\w+)\}/g, (_all, name: string) => fill[name]!)}?asOfTypo=1${format}`,
      );
      expectProblem(answer, 400, 'malformed-request', nameOf(route));
    }
  });

  test.each([
    ['kind=nope', 'kind'],
    ['kind=call&kind=nope', 'kind'],
    ['occurredAt[gte]=yesterday', 'occurredAt'],
    ['occurredAt[gte]=2026-01-01', 'occurredAt'],
    ['dueOn[lt]=2026-02-30', 'dueOn'],
    ['closed=maybe', 'closed'],
    ['closed=true&closed=false', 'closed'],
    ['status[null]=perhaps', 'status'],
    ['text=%20', 'text'],
    [`text=${'x'.repeat(501)}`, 'text'],
    ['selection=mine', 'selection'],
    ['owner=', 'owner'],
    [`owner=${'x'.repeat(256)}`, 'owner'],
    ['direction=sideways', 'direction'],
    ['sort=subject', 'sort'],
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=many', 'limit'],
    ['limit=', 'limit'],
    ['limit=-1', 'limit'],
  ])('names the field: %s', async (query, field) => {
    const answer = await api.get(`/activities?${query}`);
    expectProblem(answer, 400, 'malformed-request', query);
    expect(answer.body.errors.map((error: Json) => error.field).join()).toContain(field);
    expect(answer.body.errors[0].message).toMatch(/\S/);
  });

  test('in a body names its fields', async () => {
    for (const [body, field] of [
      [{ name: 'x', filter: { kind: ['nope'] } }, 'filter.kind'],
      [{ name: 'x', filter: { colour: ['red'] } }, 'filter'],
      [{ name: 'x', filter: { occurredAt: {} } }, 'occurredAt'],
      [{ name: '', ids: [task(1)] }, 'name'],
      [{ name: 'x', ids: ['no-id'] }, 'ids'],
      [{ name: 'x', ids: [] }, 'ids'],
      [{ name: 'x' }, 'body'],
      [{ name: 'x', ids: [task(1)], filter: {} }, 'body'],
      [{ name: 'x', ids: [task(1)], expectedCount: 1 }, 'body'],
      [{ name: 'x', ids: [task(1)], typo: 1 }, 'body'],
      [['name'], 'body'],
      ['name', 'body'],
    ] as const) {
      const answer = await api.post('/activities/selection', body);
      expectProblem(answer, 422, 'invalid-content', JSON.stringify(body));
      expect(answer.body.errors.map((error: Json) => error.field).join()).toContain(field);
    }
  });

  test('in a body that is no JSON, of another type, or too large', async () => {
    const json = { 'Content-Type': 'application/json' };
    const raw = (text: string, headers: Record<string, string>) =>
      api.call('POST', '/selections', undefined, { raw: text, headers });
    expectProblem(await raw('{"name":', json), 400, 'malformed-request');
    expectProblem(await raw('', json), 400, 'malformed-request');
    expectProblem(
      await raw('name=x', { 'Content-Type': 'application/x-www-form-urlencoded' }),
      400,
      'malformed-request',
    );
    expectProblem(await raw('{"name":"x"}', { 'Content-Type': 'text/plain' }), 400, 'malformed-request');
    expectProblem(await raw(JSON.stringify({ name: 'x'.repeat(3_000_000) }), json), 413, 'too-large');
    expectProblem(await raw('{"name":"x","__proto__":{"admin":true}}', json), 400, 'malformed-request');
  });

  test('with a cursor of another order, or one that somebody made up, is refused and never an error of ours', async () => {
    const first = await api.get('/activities?sort=dueOn&limit=5');
    expectProblem(
      await api.get(`/activities?sort=duration&limit=5&cursor=${first.body.page.next}`),
      400,
      'malformed-request',
    );
    const made = (order: string, key: unknown) =>
      Buffer.from(JSON.stringify({ order, key, back: false })).toString('base64url');
    const selection = (await open()).body.id;
    for (const key of [[], ['x'], ['x', 'y'], [null, null], ['\u0000', '\u0000'], [1e300, 1e300], [{}]])
      for (const [path, order] of [
        ['/activities', '-occurredAt'],
        ['/activities', '-dueOn'],
        ['/activities', 'duration'],
        [`/activities/${task(1)}/history`, 'history'],
        [`/activities/${task(1)}/selections`, 'selections'],
        ['/selections', 'changed'],
        [`/selections/${selection}/activities`, 'items'],
        [`/selections/${selection}/changes`, 'changes'],
        ['/sync-runs', 'started'],
        [`/sync-runs/${randomUUID()}/rejects`, 'rejects'],
        ['/audit', 'audit'],
      ] as const) {
        const sort = path === '/activities' ? `&sort=${order}` : '';
        const { status, body } = await api.get(`${path}?cursor=${made(order, key)}${sort}`);
        expect([path, order, key, status < 500, body.detail ?? ''], JSON.stringify(body)).toEqual([
          path,
          order,
          key,
          true,
          body.detail ?? '',
        ]);
      }
    for (const cursor of ['x', '%00', 'e30', Buffer.from('null').toString('base64url')])
      expectProblem(await api.get(`/activities?cursor=${cursor}`), 400, 'malformed-request', cursor);
  });

  test('about an id that is none is 400, about one that is not there 404', async () => {
    for (const path of ['/activities', '/selections', '/sync-runs']) {
      expectProblem(await api.get(`${path}/no-id`), 400, 'malformed-request', path);
      expectProblem(await api.get(`${path}/${randomUUID()}`), 404, 'not-found', path);
    }
    expectProblem(await api.get('/projections/nonsense/rebuilds/x'), 400, 'malformed-request');
  });
});

describe('activities that cannot be selected', () => {
  test('are all named, and nothing is recorded', async () => {
    const path = `/selections/${(await open()).body.id}/activities`;
    await importFiles(api, [{ object: null, text: ndjsonOf([{ id: 'gone', deleted: true }]) }], {
      source: 'ndjson:http',
    });
    const before = await eventCount();
    const [never, gone] = [randomUUID(), activityId('http', 'ndjson:http', 'gone')];
    for (const [to, more] of [
      [path, {}],
      ['/activities/selection', { name: 'x' }],
    ] as const) {
      const answer = await api.post(to, { ...more, ids: [task(1), never, gone, { id: task(2), revision: 7 }] });
      expectProblem(answer, 422, 'unknown-activities');
      expect(answer.body.errors.map((error: Json) => error.field)).toEqual([never, gone, task(2)]);
    }
    expectProblem(await api.post(path, { filter: {}, expectedCount: 3 }), 409, 'count-differs');
    expect(await eventCount()).toBe(before);
  });
});

describe('a list', () => {
  /** All rows by following `next`, and again by following `previous` from the last page. */
  async function walk(path: string, limit: number): Promise<{ forwards: Json[]; backwards: Json[]; pages: number }> {
    const get = async (cursor: string | null) =>
      (
        await api.ok(
          api.get(
            `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`,
          ),
        )
      ).body;
    const forwards: Json[] = [];
    let pages = 0;
    let page = await get(null);
    expect(page.page.previous).toBe(null);
    for (; ; pages++) {
      forwards.push(...page.data);
      expect(page.data.length).toBeLessThanOrEqual(limit);
      if (page.page.next === null) break;
      expect(page.data.length).toBe(limit);
      page = await get(page.page.next);
    }
    const backwards: Json[] = [...page.data];
    for (let at = pages; page.page.previous !== null; at--) {
      expect(at).toBeGreaterThan(0);
      page = await get(page.page.previous);
      expect(page.page.next).not.toBe(null);
      backwards.unshift(...page.data);
    }
    return { forwards, backwards, pages: pages + 1 };
  }

  const sorts = ['occurredAt', 'dueOn', 'modifiedAt', 'duration'].flatMap((sort) => [sort, `-${sort}`]);
  test.each(sorts)(
    'of activities by %s shows each exactly once, forwards and backwards, ties and those without a value too',
    async (sort) => {
      const all = (await api.ok(api.get(`/activities?sort=${sort}&limit=200`))).body;
      expect(all.data).toHaveLength(tasks);
      for (const limit of [1, 7, 20, 61, 62]) {
        const { forwards, backwards, pages } = await walk(`/activities?sort=${sort}`, limit);
        expect(forwards).toEqual(all.data);
        expect(backwards).toEqual(all.data);
        expect(pages).toBe(Math.ceil(tasks / limit));
      }
      const field = {
        occurredAt: 'occurredAt',
        dueOn: 'dueOn',
        modifiedAt: 'sourceModifiedAt',
        duration: 'durationSeconds',
      }[sort.replace('-', '')]!;
      const values = all.data.map((row: Json) => row[field]);
      const places = values.map((value: unknown) => (value === null ? -1 : value));
      expect(values.filter((value: unknown) => value === null).length).toBeGreaterThan(5);
      const rising = sort.startsWith('-') ? [...places].reverse() : places;
      for (let at = 1; at < rising.length; at++)
        expect(
          rising[at - 1] === rising[at] || rising[at - 1] === -1 || rising[at - 1] < rising[at],
          `${rising[at - 1]} before ${rising[at]}`,
        ).toBe(true);
    },
  );

  test('of every other kind shows each exactly once, forwards and backwards', async () => {
    const made = [];
    for (let n = 0; n < 9; n++)
      made.push((await api.ok(api.post('/activities/selection', { name: `Sel ${n}`, filter: {} }), 201)).body.id);
    for (let n = 0; n < 5; n++)
      await importFiles(api, [
        {
          object: 'Task',
          text: csvOf(
            [0, 1, 2, 3, 4].map((index) => ({
              Id: ids.task(index),
              Subject: `Now ${n}`,
              SystemModstamp: `2027-01-0${n + 1}T00:00:00Z`,
            })),
          ),
        },
      ]);
    await system.settle();
    const runs = (await api.get('/sync-runs?limit=200')).body.data;
    const rejecting = runs.find((run: Json) => run.totals.rejected === 30).id;
    for (const [path, least] of [
      ['/selections', 9],
      ['/selections?status=frozen&status=discarded', 9],
      [`/activities/${task(1)}/history`, 6],
      [`/activities/${task(1)}/selections`, 9],
      [`/selections/${made[0]}/activities`, tasks],
      [`/selections/${made[0]}/changes`, 5],
      [`/selections/${made[0]}/history`, 3],
      ['/sync-runs', 6],
      [`/sync-runs/${rejecting}/rejects`, 30],
      ['/audit', 20],
      ['/audit?events=all&action=SelectionFrozen', 9],
    ] as const) {
      const all = (await api.ok(api.get(`${path}${path.includes('?') ? '&' : '?'}limit=200`))).body;
      expect(all.data.length, path).toBeGreaterThanOrEqual(least);
      expect(all.total).toEqual({ value: all.data.length, exact: true });
      for (const limit of [1, 4]) {
        const { forwards, backwards } = await walk(path, limit);
        expect(forwards, path).toEqual(all.data);
        expect(backwards, path).toEqual(all.data);
      }
    }
    const csv = await api.ok(api.get(`/sync-runs/${rejecting}/rejects.csv`));
    expect(csv.body.trim().split('\r\n')).toHaveLength(31);
  });
});

describe('a demanded position', () => {
  const far = () => `${system.machine.log.id}-00000000ffffffff`;

  test('of another log is refused, as is one that is none', async () => {
    const other = `${system.machine.log.id === '00000000' ? '11111111' : '00000000'}-0000000000000001`;
    expectProblem(await api.get('/activities', { 'Cool-Mint-Min-Position': other }), 400, 'invalid-position');
    for (const wrong of ['7', 'latest', `${far()}0`, far().toUpperCase().replace('FF', 'GG')])
      expectProblem(await api.get('/selections', { 'Cool-Mint-Min-Position': wrong }), 400, 'malformed-request', wrong);
  });

  test.each(['/activities', '/selections', '/sync-runs', '/audit', '/audit/export?format=csv'])(
    'far ahead is waited for no longer than asked, then told with how far it is: %s',
    async (path) => {
      for (const seconds of [0, 1]) {
        const began = performance.now();
        const answer = await api.get(path, { 'Cool-Mint-Min-Position': far(), Prefer: `wait=${seconds}` });
        const took = performance.now() - began;
        expectProblem(answer, 503, 'view-behind', path);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
        expect(answer.body.detail).toContain(far());
        expect(took).toBeGreaterThanOrEqual(seconds * 1000 - 20);
        expect(took).toBeLessThan(seconds * 1000 + 1_500);
      }
    },
  );

  test('may be given several times: the highest counts', async () => {
    const { position } = await open();
    const answer = await api.get('/selections', {
      'Cool-Mint-Min-Position': `${position}, ${system.machine.log.start}`,
    });
    expect(answer.body.asOf.position >= position).toBe(true);
    expectProblem(
      await api.get('/selections', { 'Cool-Mint-Min-Position': `${position}, ${far()}`, Prefer: 'wait=0' }),
      503,
      'view-behind',
    );
  });

  test('is kept by commands that ask the view too, and nothing is recorded where it is not reached', async () => {
    const before = await eventCount();
    const demand = { 'Cool-Mint-Min-Position': far(), Prefer: 'wait=0' };
    expectProblem(await api.post('/activities/selection', { name: 'x', filter: {} }, demand), 503, 'view-behind');
    expectProblem(await api.post('/activities/selection/preview', { filter: {} }, demand), 503, 'view-behind');
    expect(await eventCount()).toBe(before);
  });
});

describe('an address', () => {
  test('that is not there is 404; one that takes other methods is 405 and names them', async () => {
    expectProblem(await api.get('/nothing'), 404, 'not-found');
    expectProblem(await api.get('/api/v2/activities'), 404, 'not-found');
    for (const [method, path, allowed] of [
      ['DELETE', '/activities', 'GET'],
      ['OPTIONS', '/activities', 'GET'],
      ['DELETE', `/selections/${randomUUID()}`, 'PATCH'],
      ['GET', `/selections/${randomUUID()}/freeze`, 'POST'],
      ['POST', '/audit/export', 'GET'],
    ] as const) {
      const answer = await api.call(method, path);
      expectProblem(answer, 405, 'method-not-allowed', `${method} ${path}`);
      expect(answer.headers.get('allow')).toContain(allowed);
    }
  });

  test('answers HEAD as GET, without the body and with the same access', async () => {
    const head = await api.call('HEAD', '/activities');
    const get = await api.get('/activities');
    expect([head.status, head.body]).toEqual([200, '']);
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    const stranger = await system.api({ tenant: 'http', actor: 'x', permissions: [] });
    expect((await stranger.call('HEAD', '/activities')).status).toBe(403);
  });
});

describe('the description of the interface', () => {
  test('is whole: every route has a summary, a group, its parameters, its answers, and no reference leads nowhere', async () => {
    const document = (await api.get('/api/openapi.json')).body;
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: 'Cool Mint', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    const routes = await describedRoutes(system.machine.url);
    const names = routes.map((route) => nameOf(route));
    expect(new Set(names).size).toBe(names.length);
    for (const route of routes) {
      const { operation, path } = route;
      expect(operation.summary, nameOf(route)).toMatch(/\S/);
      expect(operation.tags?.length, nameOf(route)).toBeGreaterThan(0);
      expect(Object.keys(operation.responses).length, nameOf(route)).toBeGreaterThan(0);
      const declared = (operation.parameters ?? [])
        .filter((one: Json) => one.in === 'path')
        .map((one: Json) => one.name);
      expect(declared.sort(), nameOf(route)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort());
      for (const parameter of operation.parameters ?? [])
        expect(parameter.schema, `${nameOf(route)} ${parameter.name}`).toBeDefined();
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
    for (const reference of references)
      expect(
        reference.split('/').reduce((at: Json, step) => at?.[step], document),
        reference,
      ).toBeDefined();
    // What is answered by a route is described: no route is hidden from it.
    const known = ['/activities', '/selections', '/sync-runs', '/audit', '/projections'].map(
      (path) => `GET /api/v1${path}`,
    );
    expect(names).toEqual(expect.arrayContaining(known));
  });
});

test('nothing of all this was an error of ours', () => {
  expect(system.errors.filter((line) => line.err)).toEqual([]);
});

// Of a process whose connections are looked at from inside.
test.skipIf(isBehindGateway())(
  'a stop answers what is under way and does not wait for connections that are kept alive',
  {
    timeout: 30_000,
  },
  async () => {
    const stopping = await startSystem();
    const client = await stopping.api('stop');
    const far = `${stopping.machine.log.id}-00000000ffffffff`;
    let answered = false;
    const slow = client.get('/activities', { 'Cool-Mint-Min-Position': far, Prefer: 'wait=1' }).then((answer) => {
      answered = true;
      return answer;
    });
    // Under way once the server has a connection that is busy.
    await expect
      .poll(
        () => new Promise((resolve) => stopping.machine.app?.server.getConnections((_error, count) => resolve(count))),
      )
      .toBeGreaterThan(0);
    const began = performance.now();
    await stopping[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(answered).toBe(true);
    expect((await slow).status).toBe(503);
  },
);
