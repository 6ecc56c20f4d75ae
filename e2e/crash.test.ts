import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoFiles } from '#shared/demo/demo-files.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { decodeEvent } from '#shared/events/codec.ts';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { longTests } from '#shared/testing/config.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { differencesFromOracle, oracleOf } from './support/compare.ts';
import { readModelRows } from './support/read-model-rows.ts';
import { importedRows } from './support/same-rows.ts';
import { projectRoot, type ServiceProcess, startService, stopProcess } from './support/service-process.ts';

const activities = longTests() ? 50_000 : 4_000;

let dataDir: string;
let folder: string;
let files: string[];
let ports: { PORT: string; ADMIN_PORT: string };
let service: ServiceProcess;
/** Events that one undisturbed import adds for its records. */
let recordsOfImport = 0;
let undisturbed: ReturnType<typeof importedRows>;

async function startAgain(): Promise<void> {
  service = startService(dataDir, { DEMO: 'off', ...ports });
  await service.ready;
}

const postmasterFile = async () =>
  (await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');

/** The embedded database, from outside; asked again where it is away for a moment. */
async function ask<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
  const pool = await database();
  try {
    return (await pool.query<T>(text, values)).rows;
  } finally {
    await pool.end();
  }
}

async function database(): Promise<Pool> {
  const password = (await readFile(path.join(dataDir, 'postgres.password'), 'utf8')).trim();
  const pool = new Pool({
    connectionString: `postgres://cool_mint:${password}@127.0.0.1:${(await postmasterFile())[3]}/cool_mint`,
    max: 4,
  });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

const recordedFor = async (tenant: string): Promise<number> =>
  ask<{ n: number }>("select count(*)::int as n from event_log.events where tenant = $1 and stream !~ '^syncrun-'", [
    tenant,
  ]).then(
    ([row]) => row?.n ?? 0,
    () => -1,
  );

interface Import {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly told: string }>;
}

function startImport(tenant: string): Import {
  const child = spawn(process.execPath, ['cli/main.ts', 'import', ...files, '--tenant', tenant, '--json'], {
    cwd: projectRoot,
    env: { ...process.env, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      told += text;
    });
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, told })) };
}

async function importWhole(tenant: string): Promise<void> {
  const { code, told } = await startImport(tenant).ended;
  expect(code, told).toBe(0);
}

/** Waits until so large a part of the import is in the log. */
async function reached(tenant: string, share: number): Promise<void> {
  await expect
    .poll(() => recordedFor(tenant), { timeout: 120_000, interval: 5 })
    .toBeGreaterThanOrEqual(recordsOfImport * share);
}

/** The same final rows as undisturbed, and each record exactly once. */
async function expectWhole(tenant: string): Promise<void> {
  await settled();
  const pool = await database();
  try {
    expect(importedRows(await readModelRows(pool), tenant)).toEqual(undisturbed);
  } finally {
    await pool.end();
  }
  expect(await recordedFor(tenant)).toBe(recordsOfImport);
  const doubled = await ask(
    "select stream from event_log.events where tenant = $1 and type in ('ActivityRecorded', 'RelatedRecordAdded') group by stream having count(*) > 1",
    [tenant],
  );
  expect(doubled).toEqual([]);
}

async function settled(): Promise<void> {
  const behind = `select 1 from projector.checkpoints c join projector.projections p on p.name = c.projection and p.live_generation = c.generation
    where c.position < (select l.id || '-' || lpad(to_hex((select max(position) from event_log.events)), 16, '0') from event_log.log l)`;
  await expect
    .poll(
      () =>
        ask(behind).then(
          (rows) => rows.length,
          () => -1,
        ),
      { timeout: 60_000 },
    )
    .toBe(0);
}

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-crash-'));
  folder = path.join(dataDir, 'files');
  await mkdir(folder);
  for (const file of demoFiles({ activities, seed: 11 }))
    await writeFile(path.join(folder, file.fileName), [...file.rows()].join(''));
  files = (await readdir(folder)).sort().map((name) => path.join(folder, name));
  ports = { PORT: String(await freePort()), ADMIN_PORT: String(await freePort()) };
  await startAgain();
}, 300_000);

afterAll(async () => {
  await stopProcess(service.child);
  await stopLeftOverPostgres({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

describe(`an import of ${activities} activities (LONG=on: 50,000)`, { timeout: 600_000 }, () => {
  test('undisturbed records each activity once', async () => {
    await importWhole('undisturbed');
    recordsOfImport = await recordedFor('undisturbed');
    await settled();
    const pool = await database();
    undisturbed = importedRows(await readModelRows(pool), 'undisturbed');
    await pool.end();
    expect(undisturbed['activities']).toHaveLength(activities);
    expect(recordsOfImport).toBeGreaterThan(activities);
  });

  test.each([0.1, 0.5, 0.9])(
    'whose client is killed with -9 at %d of it: run again, the same rows and no event twice',
    async (share) => {
      const tenant = `client-${share * 100}`;
      const cut = startImport(tenant);
      await reached(tenant, share);
      cut.child.kill('SIGKILL');
      await cut.ended;
      await importWhole(tenant);
      await expectWhole(tenant);
    },
  );

  test.each([0.1, 0.5, 0.9])(
    'whose server is killed with -9 at %d of it: run again, the same rows and no event twice',
    async (share) => {
      const tenant = `server-${share * 100}`;
      const cut = startImport(tenant);
      await reached(tenant, share);
      await stopProcess(service.child, 'SIGKILL');
      cut.child.kill('SIGKILL');
      await cut.ended;
      await startAgain();
      await importWhole(tenant);
      await expectWhole(tenant);
    },
  );

  test('whose server is killed and started again is ridden out by its client', async () => {
    const running = startImport('ridden-out');
    await reached('ridden-out', 0.5);
    await stopProcess(service.child, 'SIGKILL');
    await startAgain();
    const { code, told } = await running.ended;
    expect(code, told).toBe(0);
    await expectWhole('ridden-out');
  });

  test('whose Postgres is killed with -9 in the middle: run again, the same rows and no event twice', async () => {
    const running = startImport('postgres');
    await reached('postgres', 0.5);
    process.kill(Number((await postmasterFile())[0]), 'SIGKILL');
    await running.ended;
    await importWhole('postgres');
    await expectWhole('postgres');
  });

  test('after all that, the read models hold what a naive fold of the log says', async () => {
    await settled();
    const pool = await database();
    const log = await postgresEventLog({ pool, directUrl: pool.options.connectionString as string });
    const events = await readLog(log);
    expect(decodeEvent(events[0] as (typeof events)[number]).type).toBe('SyncStarted');
    expect(differencesFromOracle(oracleOf(events), await readModelRows(pool))).toEqual([]);
    await log.close();
    await pool.end();
  });
});
