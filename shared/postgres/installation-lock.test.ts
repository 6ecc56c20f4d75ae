import { Client } from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SetupError } from '#shared/errors/setup-error.ts';
import {
  type JoinOptions,
  joinInstallation,
  type LogKind,
  logsInUse,
  takeInstallation,
  workAtHand,
} from '#shared/postgres/installation-lock.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';

let database: TestDatabase;
const warned: string[] = [];
const logger = pino({ level: 'warn' }, { write: (line: string) => void warned.push(JSON.parse(line).msg) });
const join = (log: LogKind, given: Partial<JoinOptions> = {}) =>
  joinInstallation({ directUrl: database.url, log, work: [], runtime: systemRuntime, logger, ...given });
const inUse = async () => [...(await logsInUse(database.url))].sort();

beforeEach(async () => {
  warned.length = 0;
  database = await createTestDatabase();
});
afterEach(() => database.drop());

test('processes share it, and it is known with which logs they work; nobody is alone beside them', async () => {
  expect(await inUse()).toEqual([]);
  {
    await using _one = await join('postgres');
    await using _two = await join('postgres');
    expect(await inUse()).toEqual(['postgres']);
    expect(await takeInstallation(database.url)).toBeNull();
    await using other = await takeInstallation(database.url, ['eventstoredb']);
    expect(other).not.toBeNull();
  }
  expect(await inUse()).toEqual([]);
  await using _elsewhere = await join('eventstoredb');
  expect(await inUse()).toEqual(['eventstoredb']);
});

test('what processes do is known, and what nobody does', async () => {
  expect(await workAtHand(database.url)).toEqual(new Map());
  await using _one = await join('postgres', { work: ['relay', 'apply'] });
  await using _two = await join('postgres', { work: ['apply'] });
  const done = { commands: 0, queries: 0, relay: 1, apply: 2 };
  expect(Object.fromEntries(await workAtHand(database.url))).toEqual(done);
});

test('whoever is alone keeps processes out, and others who want to be alone; and it is seen as no process', async () => {
  {
    await using alone = await takeInstallation(database.url);
    expect(alone).not.toBeNull();
    expect(await inUse()).toEqual([]);
    await expect(join('postgres')).rejects.toThrow(SetupError);
    await expect(join('eventstoredb')).rejects.toThrow('under way in this database');
    expect(await takeInstallation(database.url, ['postgres'])).toBeNull();
  }
  await using _after = await join('postgres');
});

test('a process whose session is cut takes it again', async () => {
  await using _process = await join('postgres', { work: ['queries'] });
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  const cut = await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cool-mint installation' and datname = current_database()",
  );
  await admin.end();
  expect(cut.rowCount).toBe(1);
  await expect.poll(() => warned).toEqual([expect.stringContaining('was cut: it is made again')]);
  await expect.poll(inUse).toEqual(['postgres']);
  expect((await workAtHand(database.url)).get('queries')).toBe(1);
});
