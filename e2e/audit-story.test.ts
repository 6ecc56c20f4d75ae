/**
 * The audit trail of a selection tells the whole story to those of its tenant, and nothing to anybody else: not through
 * any route, whatever the token.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { permission } from '#shared/access/permissions.ts';
import { activityId } from '#shared/events/stream-name.ts';
import { type Answer, type Api, apiWithToken, type Json, newKey } from './support/api.ts';
import { csvOf, type Imported, importFiles } from './support/import-files.ts';
import { type DescribedRoute, describedRoutes, nameOf, pathOf } from './support/routes.ts';
import { ids } from './support/source-data.ts';
import { type System, startSystem } from './support/system.ts';

const agent = 'story-teller/1.0 (audit)';
const elsewhere = 'other-agent/2.0';
let system: System;
let ada: Api;
let bo: Api;
let imported: Imported;
let selection: string;
let other: string;
let began: string;
const said: Record<string, Answer> = {};

/** Commands carry the user agent of whoever sends them. */
const by = (userAgent: string) => ({ 'User-Agent': userAgent, ...newKey() });

beforeAll(async () => {
  system = await startSystem();
  ada = await system.api({ tenant: 'story', actor: 'ada@story', name: 'Ada Lovelace' });
  bo = await system.api({ tenant: 'story', actor: 'bo@story', name: 'Bo Li' });
  began = new Date().toISOString();
  const rows = Array.from({ length: 30 }, (_, index) => ({
    Id: ids.task(index),
    Subject: `secret-subject ${index}`,
    Type: index < 20 ? 'Call' : 'Email',
    Status: 'Completed',
    SystemModstamp: '2026-01-01T00:00:00Z',
  }));
  imported = await importFiles(ada, [{ object: 'Task', text: csvOf(rows) }]);
  // A few are revised, so that versions differ.
  const again = rows
    .slice(0, 5)
    .map((row) => ({ ...row, Status: 'In Progress', SystemModstamp: '2026-01-02T00:00:00Z' }));
  imported = await importFiles(ada, [{ object: 'Task', text: csvOf(again) }]);
  const behind = { 'Cool-Mint-Min-Position': imported.position, Prefer: 'wait=30' };

  said['opened'] = await ada.ok(
    ada.post('/selections', { name: 'Calls of the quarter', purpose: 'coaching' }, by(agent)),
    201,
  );
  selection = said['opened'].body.id;
  const path = `/selections/${selection}`;
  said['filled'] = await ada.ok(
    ada.post(`${path}/activities`, { filter: { kind: ['call'] } }, { ...by(agent), ...behind }),
  );
  const removed = activityId('story', 'salesforce', ids.task(3));
  said['removed'] = await bo.ok(bo.post(`${path}/activities/remove`, { ids: [removed] }, by(elsewhere)));
  said['frozen'] = await ada.ok(ada.post(`${path}/freeze`, undefined, by(agent)));
  said['exported'] = await bo.ok(bo.post(`${path}/exports`, { format: 'csv' }, by(elsewhere)));
  const share = { recipient: 'coach@example.com', model: 'model-x', note: 'for Monday' };
  said['shared'] = await ada.ok(ada.post(`${path}/shares`, share, by(agent)));

  other = (await bo.ok(bo.post('/selections', { name: 'By mistake' }, by(elsewhere)), 201)).body.id;
  await bo.ok(bo.post(`/selections/${other}/discard`, { reason: 'a mistake' }, by(elsewhere)));
  await ada.ok(ada.post(`/selections/${other}/reopen`, { reason: 'it was none' }, by(agent)));
  await system.settle();
});
afterAll(() => system[Symbol.asyncDispose]());

const story = [
  ['SelectionOpened', 'ada@story', 'Ada Lovelace', agent],
  ['ActivitiesSelected', 'ada@story', 'Ada Lovelace', agent],
  ['ActivitiesDeselected', 'bo@story', 'Bo Li', elsewhere],
  ['SelectionFrozen', 'ada@story', 'Ada Lovelace', agent],
  ['SelectionExported', 'bo@story', 'Bo Li', elsewhere],
  ['SelectionShared', 'ada@story', 'Ada Lovelace', agent],
] as const;

const told = (entry: Json) => [entry.action, entry.actor.id, entry.actor.name, entry.from.userAgent];

describe('the story of a selection', () => {
  test('is told first to last by its history: who, by id and name, from where, and when', async () => {
    const { body } = await ada.ok(ada.get(`/selections/${selection}/history`));
    expect(body.data.map(told)).toEqual(story);
    const now = new Date().toISOString();
    let before = began;
    for (const [index, entry] of body.data.entries()) {
      expect(entry.from.address).toBe('127.0.0.1');
      expect(entry.entity).toEqual({ category: 'selection', id: selection, revision: index });
      expect(entry.at >= before && entry.at <= now, `${before} <= ${entry.at} <= ${now}`).toBe(true);
      before = entry.at;
    }
    expect(body.data.map((entry: Json) => entry.correlationId)).toEqual(
      ['opened', 'filled', 'removed', 'frozen', 'exported', 'shared'].map((step) =>
        said[step]!.headers.get('x-request-id'),
      ),
    );
  });

  test('is told newest first by the audit trail, which also finds it by the request id of an answer', async () => {
    const { body } = await ada.ok(ada.get(`/audit?entity=selection-${selection}`));
    expect(body.data.map(told)).toEqual([...story].reverse());
    const found = await ada.ok(ada.get(`/audit?correlationId=${said['frozen']!.headers.get('x-request-id')}`));
    expect(found.body.data.map(told)).toEqual([story[3]]);
    const ofBo = await ada.ok(ada.get('/audit?actor=bo@story'));
    expect(ofBo.body.data.map((entry: Json) => entry.action)).toEqual([
      'SelectionDiscarded',
      'SelectionOpened',
      'SelectionExported',
      'ActivitiesDeselected',
    ]);
  });

  test('names the filter, the versions that were selected and the one that was removed', async () => {
    const history = (await ada.ok(ada.get(`/selections/${selection}/history`))).body.data;
    const selected = (await ada.ok(ada.get(`/audit/${history[1].eventId}`))).body;
    expect(selected.summary).toMatchObject({ count: 20, part: 1, of: 1, filter: { kind: ['call'] } });
    expect(selected.summary.filterPosition >= imported.position).toBe(true);
    const calls = (await ada.ok(ada.get('/activities?kind=call&limit=200'))).body.data;
    const versions = calls
      .map(({ id, revision, contentHash }: Json) => ({ activityId: id, revision, contentHash }))
      .sort((a: Json, b: Json) => (a.activityId < b.activityId ? -1 : 1));
    expect(selected.items).toEqual(versions);
    expect(versions.filter(({ revision }: Json) => revision === 1)).toHaveLength(5);
    const removed = (await ada.ok(ada.get(`/audit/${history[2].eventId}`))).body;
    expect(removed.items).toEqual([{ activityId: activityId('story', 'salesforce', ids.task(3)) }]);
  });

  test('gives the digest that was frozen, the digest of the file that was handed out, and with whom it was shared', async () => {
    const history = (await ada.ok(ada.get(`/selections/${selection}/history`))).body.data;
    expect(history[3].summary).toMatchObject({ count: 19, digest: said['frozen']!.body.digest });
    const sent = said['exported']!.headers.get('repr-digest')!;
    const digest = Buffer.from(/sha-256=:(.*):/.exec(sent)![1]!, 'base64').toString('hex');
    const bytes = new Uint8Array(
      await crypto.subtle.digest('SHA-256', new TextEncoder().encode(said['exported']!.body)),
    );
    expect(Buffer.from(bytes).toString('hex')).toBe(digest);
    expect(history[4].summary).toMatchObject({ format: 'csv', count: 19, digest: `sha-256:${digest}` });
    expect(history[5].summary).toEqual({
      model: 'model-x',
      digest: said['frozen']!.body.digest,
      recipient: 'coach@example.com',
      note: 'for Monday',
    });
  });

  test('of the one that was discarded and reopened gives both reasons', async () => {
    const { body } = await ada.ok(ada.get(`/selections/${other}/history`));
    expect(body.data.map((entry: Json) => [entry.action, entry.actor.id, entry.summary.reason])).toEqual([
      ['SelectionOpened', 'bo@story', undefined],
      ['SelectionDiscarded', 'bo@story', 'a mistake'],
      ['SelectionReopened', 'ada@story', 'it was none'],
    ]);
    expect((await ada.ok(ada.get(`/selections/${other}`))).body.status).toBe('open');
  });

  test('is the same in the NDJSON and in the CSV export, without a cell that a spreadsheet would run', async () => {
    const list = (await ada.ok(ada.get(`/audit?entity=selection-${selection}&events=all`))).body.data.reverse();
    const ndjson = await ada.ok(ada.get(`/audit/export?format=ndjson&entity=selection-${selection}`));
    const entries = ndjson.body
      .trim()
      .split('\n')
      .map((line: string) => JSON.parse(line));
    expect(entries.map(({ items, ...entry }: Json) => entry)).toEqual(list);
    expect(entries[1].items).toHaveLength(20);
    const csv = await ada.ok(ada.get(`/audit/export?format=csv&entity=selection-${selection}`));
    const lines = csv.body.trim().split('\r\n');
    expect(lines).toHaveLength(7);
    for (const [index, entry] of list.entries())
      expect(lines[index + 1]).toContain(
        [entry.at, entry.action, entry.actor.id, entry.actor.name, '127.0.0.1', entry.from.userAgent].join(','),
      );
  });

  test('leaves consequences out unless they are asked for', async () => {
    const decisions = (await ada.ok(ada.get('/audit?limit=200'))).body;
    expect(new Set(decisions.data.map((entry: Json) => entry.action))).not.toContain('ActivityRecorded');
    const all = (await ada.ok(ada.get('/audit?events=all&limit=200'))).body;
    expect(all.data.filter((entry: Json) => entry.action === 'ActivityRecorded')).toHaveLength(30);
    expect(all.data.filter((entry: Json) => entry.action === 'ActivityRevised')).toHaveLength(5);
    expect(all.total.value).toBe((await system.events()).filter(({ metadata }) => metadata.tenant === 'story').length);
  });
});

/** Bodies of routes that take one, by the end of their path; each would do something if the tenant were the right one. */
function bodyFor({ method, path }: DescribedRoute, activity: string): unknown {
  if (method === 'GET' || method === 'PUT') return undefined;
  if (/\/(selection)$/.test(path)) return { name: 'x', ids: [activity] };
  if (/\/(preview|activities|remove)$/.test(path)) return { ids: [activity] };
  if (/\/exports$/.test(path)) return { format: 'csv' };
  if (/\/shares$/.test(path)) return { recipient: 'x@example.com' };
  if (/\/sync-runs$/.test(path)) return { source: 'salesforce' };
  if (/\/selections$/.test(path) || method === 'PATCH') return { name: 'x' };
  if (/\/(complete|cancel|freeze|discard|reopen|copy|rebuilds)$/.test(path)) return undefined;
  throw new Error(`say what body ${method} ${path} takes`);
}

/** Parameters of the story's own entities. */
const parametersFor = ({ path }: DescribedRoute, eventId: string): Record<string, string> => ({
  id: path.includes('/sync-runs/')
    ? imported.run
    : path.includes('/activities/') && !path.includes('/selections/')
      ? activityId('story', 'salesforce', ids.task(1))
      : selection,
  eventId,
  part: '1',
  name: 'catalog',
});

const queryFor = ({ path }: DescribedRoute) =>
  path.endsWith('/parts/{part}') ? '?object=Task' : path.endsWith('/audit/export') ? '?format=ndjson' : '';
const headersFor = ({ method }: DescribedRoute): Record<string, string> =>
  method === 'PUT' ? { 'Content-Type': 'text/csv' } : {};

describe('every route', () => {
  let routes: DescribedRoute[];
  let eventId: string;
  beforeAll(async () => {
    routes = await describedRoutes(system.machine.url);
    eventId = (await ada.get(`/selections/${selection}/history`)).body.data[1].eventId;
    expect(routes.length).toBeGreaterThan(30);
  });

  const send = (
    api: Api,
    route: DescribedRoute,
    parameters = parametersFor(route, eventId),
    activity = activityId('story', 'salesforce', ids.task(1)),
  ) =>
    api.call(
      route.method,
      pathOf(route, parameters) + queryFor(route),
      bodyFor(route, activity),
      route.method === 'PUT'
        ? { raw: csvOf([{ Id: ids.task(1), Subject: 'intruder' }]), headers: headersFor(route) }
        : {},
    );

  test('refuses whoever sends no token, or one that is no token, and says how to get one', async () => {
    for (const token of ['', 'nonsense', `${ada.token.slice(0, -6)}AAAAAA`])
      for (const route of routes) {
        const { status, body, headers } = await send(apiWithToken(system.machine.url, token, 'story', 'nobody'), route);
        expect([nameOf(route), status, body.code]).toEqual([nameOf(route), 401, 'not-authenticated']);
        expect(headers.get('www-authenticate')).toBe('Bearer');
      }
  });

  test('refuses a token that carries every permission but its own', async () => {
    const none = await system.api({ tenant: 'story', actor: 'x', permissions: [] });
    const used = new Set<string>();
    for (const route of routes) {
      const without = await send(none, route);
      expect([nameOf(route), without.status]).toEqual([nameOf(route), 403]);
      const needed = /"([a-z]+:[a-z]+)"/.exec(without.body.detail)?.[1] as string;
      expect(permission.options).toContain(needed);
      used.add(needed);
      const others = permission.options.filter((one) => one !== needed);
      const answer = await send(await system.api({ tenant: 'story', actor: 'x', permissions: others }), route);
      expect([nameOf(route), answer.status, answer.body.code]).toEqual([nameOf(route), 403, 'not-permitted']);
    }
    expect([...used].sort()).toEqual([...permission.options].sort());
  });

  test('shows another tenant nothing, and lets it change nothing', async () => {
    const stranger = await system.api({ tenant: 'stranger', actor: 'eve@stranger', name: 'Eve' });
    const before = (await system.events()).filter(({ metadata }) => metadata.tenant === 'story').length;
    const marks = [
      ...[selection, other, imported.run, eventId, 'secret-subject', 'Ada Lovelace', 'Bo Li', 'ada@story', 'bo@story'],
      ...['Calls of the quarter', 'coaching', 'By mistake', 'a mistake', 'coach@example.com', agent, elsewhere],
      ...Array.from({ length: 30 }, (_, index) => [
        ids.task(index),
        activityId('story', 'salesforce', ids.task(index)),
      ]).flat(),
    ];
    for (const route of routes) {
      const { status, body } = await send(stranger, route);
      const parameters = parametersFor(route, eventId);
      const sent = [...Object.values(parameters), activityId('story', 'salesforce', ids.task(1)), ids.task(1)];
      const shown = JSON.stringify(body);
      expect(
        marks.filter((mark) => !sent.includes(mark) && shown.includes(mark)),
        nameOf(route),
      ).toEqual([]);
      // What is another tenant's is missing, just as what never was; projections are the installation's own.
      if (/\{(id|eventId)\}/.test(route.path)) {
        const never = randomUUID();
        const unknown = await send(stranger, route, { ...parameters, id: never, eventId: never }, never);
        expect([nameOf(route), status, body.code]).toEqual([nameOf(route), unknown.status, unknown.body.code]);
        expect(['not-found', 'unknown-activities'], nameOf(route)).toContain(body.code);
      } else expect([200, 201, 202, 422], nameOf(route)).toContain(status);
      if (status === 200 && Array.isArray(body.data) && !route.path.endsWith('/projections') && body.data.length > 0)
        for (const row of body.data) expect(JSON.stringify(row), nameOf(route)).toMatch(/eve@stranger|"x"/);
    }
    const after = await system.events();
    expect(after.filter(({ metadata }) => metadata.tenant === 'story')).toHaveLength(before);
    await system.settle();
    expect((await ada.get(`/selections/${selection}`)).body).toMatchObject({
      name: 'Calls of the quarter',
      exports: 1,
      shares: 1,
    });
  });
});

test('a token of the reserved tenant, of another issuer, expired or for another audience is not accepted', async () => {
  const reserved = await system.api({ tenant: 'system', actor: 'root' });
  expect((await reserved.get('/audit?events=all')).status).toBe(401);
  const [head, claims] = ada.token.split('.') as [string, string];
  const forged = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), tenant: 'other' }),
  ).toString('base64url');
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  for (const token of [`${head}.${forged}.${ada.token.split('.')[2]}`, `${none}.${forged}.`, `${none}.${claims}.`])
    expect((await apiWithToken(system.machine.url, token, 'other', 'x').get('/selections')).status).toBe(401);
});
