/** Backup of a service at work, loss of everything, restore: the views are what the oracle says, and the work goes on. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { projectionName } from '#shared/events/projection.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { testEventStore } from '#shared/testing/test-event-store.ts';
import type { Api, Json } from './support/api.ts';
import { compareWithOracle, differencesFromOracle, oracleOf } from './support/compare.ts';
import { coolMint, jsonLines } from './support/cool-mint.ts';
import { csvOf, importFiles } from './support/import-files.ts';
import { rebuild } from './support/rebuild.ts';
import { sourceData } from './support/source-data.ts';
import { type System, startSystem } from './support/system.ts';
import { runWorkload } from './support/workload.ts';

const seed = 20_261_121;
const patient = { Prefer: 'wait=30' };

let system: System;
let api: Api;
let folder: string;
const databases: TestDatabase[] = [];

const connected = async (url: string) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
};

/** What the running service is on. */
let settings: Record<string, string>;

async function done(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Json> {
  const { code, out, err } = await coolMint([...args, '--json'], { DATA_DIR: system.dataDir, ...environment });
  expect([args, code, err]).toEqual([args, 0, expect.not.stringContaining('    at ')]);
  return jsonLines(out).at(-1);
}

const backUp = () => done(['backup', '--to', folder], settings);

/** Into a new, empty database and, where the run is about one, a new place in EventStoreDB. */
async function restoreAnew(...until: string[]) {
  const database = await createTestDatabase();
  databases.push(database);
  const client = await connected(database.url);
  // Test databases are copies of one, with its log's id; a database that is migrated has its own.
  await client.query('update event_log.log set id = $1', [randomBytes(4).toString('hex')]);
  const eventStore = testEventStore();
  const anew = {
    DATABASE_URL: database.url,
    EVENTSTORE_URL: eventStore?.url ?? '',
    EVENTSTORE_STREAM_PREFIX: eventStore?.prefix ?? '',
  };
  const result = await done(['restore', '--from', folder, ...until], anew);
  const leases = await leasesOf(client);
  await client.end();
  return { result, leases, anew };
}

async function restart(anew: Record<string, string>): Promise<void> {
  settings = anew;
  await system.restart(anew);
}

const withoutPosition = ({ position: _, ...event }: RecordedEvent) => event;
const bySlotOrder = (events: readonly RecordedEvent[], tenant: string) =>
  events.filter(({ metadata }) => metadata.tenant === tenant).map(withoutPosition);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-backup-'));
  const eventStore = testEventStore();
  system = await startSystem({ eventStore, kafka: null });
  settings = {
    DATABASE_URL: system.database.url,
    EVENTSTORE_URL: eventStore?.url ?? '',
    EVENTSTORE_STREAM_PREFIX: eventStore?.prefix ?? '',
  };
  api = await system.api({ tenant: 'acme', headers: patient });
  await runWorkload(api, { seed, rounds: 20, tasks: 90 });
}, 120_000);
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const addresses = (rows: readonly Json[]) => rows.map(({ from }) => from.address);

const leasesOf = async (client: Client) =>
  (await client.query('select tenant, source, epoch, run, watermark from command.sync_leases order by tenant, source'))
    .rows;

test('backup, loss of everything, restore, rebuild: every row is what the oracle says', {
  timeout: 120_000,
}, async () => {
  const first = await backUp();
  expect(first.before).toBe(0);
  // The second one is made while commands go on: what it holds is a moment between them.
  const open = { source: 'salesforce:other', channel: 'file', mode: 'partial', mapping: {}, parts: [] };
  const run = (await api.ok(api.post('/sync-runs', open), 201)).body.id;
  const file = { object: 'Task', text: csvOf([sourceData(seed).task(1, 1)]) };
  await importFiles(api, [file], { source: 'salesforce:full', mode: 'full' });
  await Promise.all([runWorkload(api, { seed: seed + 1, rounds: 20, tasks: 90 }), backUp()]);
  await system.settle();
  const last = await backUp();
  expect(last.before).toBeGreaterThan(first.events);
  const events = await system.events();
  expect(last.events).toBe(events.length);
  const audit = (await api.ok(api.get('/audit?limit=200'))).body.data;
  expect(addresses(audit).filter((address) => address !== null).length).toBeGreaterThan(0);
  const client = await connected(system.database.url);
  const leasesBefore = await leasesOf(client);
  await client.end();
  const privateKey = await readFile(path.join(system.dataDir, 'issuer', 'private-key.pem'), 'utf8');

  // Loss: the keys here, and the database with all that is in it.
  await rm(path.join(system.dataDir, 'issuer'), { recursive: true });
  const { result, leases, anew } = await restoreAnew();
  expect(result).toMatchObject({ events: events.length, cut: false, keys: 'restored', staleViews: false });
  expect(result.rows).toBeGreaterThan(0);
  expect(leasesBefore).toContainEqual(expect.objectContaining({ source: 'salesforce:other', run }));
  expect(leasesBefore.filter(({ watermark }) => watermark !== null).length).toBeGreaterThan(0);
  expect(leases).toEqual(leasesBefore);
  expect(await readFile(path.join(system.dataDir, 'issuer', 'private-key.pem'), 'utf8')).toBe(privateKey);
  const lost = system.machine.log.id;
  await restart(anew);
  expect(system.machine.log.id).not.toBe(lost);
  expect(await compareWithOracle(system)).toEqual([]);
  const restored = await system.events();
  for (const tenant of ['acme', 'system'])
    expect(bySlotOrder(restored, tenant).slice(0, bySlotOrder(events, tenant).length)).toEqual(
      bySlotOrder(events, tenant),
    );
  // Tokens of before are valid, personal data is there, and the work goes on.
  api = await system.api({ tenant: 'acme', headers: patient });
  const shown = (await api.ok(api.get('/audit?limit=200'))).body.data;
  expect(addresses(shown)).toEqual(addresses(audit));
  await runWorkload(api, { seed: seed + 2, rounds: 5, tasks: 90 });
  for (const projection of projectionName.options) await rebuild(api, projection);
  expect(await compareWithOracle(system)).toEqual([]);
});

test('the log up to a time, or a position: views of exactly those events', { timeout: 120_000 }, async () => {
  // The log is another one since the restore before: its backup goes to another place.
  await rm(folder, { recursive: true });
  await backUp();
  const events = await system.events();
  const middle = events[Math.floor(events.length / 2)] as RecordedEvent;
  const time = middle.metadata.recordedAt;
  let latest = '';
  const upToTime = events.filter(({ metadata }) => {
    if (metadata.recordedAt > latest) latest = metadata.recordedAt;
    return latest <= time;
  });
  const upToPosition = events.filter(({ position }) => position <= middle.position);
  for (const [until, kept] of [
    [time, upToTime],
    [middle.position, upToPosition],
  ] as const) {
    const { result, anew } = await restoreAnew('--until', until);
    expect(result).toMatchObject({ events: kept.length, cut: true, keys: 'the same' });
    await restart(anew);
    expect(await compareWithOracle(system)).toEqual([]);
    const there = await system.events();
    expect(bySlotOrder(there, 'acme')).toEqual(bySlotOrder(kept, 'acme'));
    expect(differencesFromOracle(oracleOf(there), await system.rows())).toEqual([]);
    const late = await system.machine.pool.query('select from command.request_origins where at > $1', [latestOf(kept)]);
    expect(late.rowCount).toBe(0);
  }
});

const latestOf = (events: readonly RecordedEvent[]): string =>
  events.reduce((latest, { metadata }) => (metadata.recordedAt > latest ? metadata.recordedAt : latest), '');
