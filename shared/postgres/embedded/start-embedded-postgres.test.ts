import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SetupError } from '#shared/errors/setup-error.ts';
import { explainFileError } from './data-folder.ts';
import { findBinaries } from './find-binaries.ts';
import { findPostmaster, query } from './running-server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres, stopLeftOverPostgres } from './start-embedded-postgres.ts';

const asRoot = process.geteuid?.() === 0;
const log = { info: () => {}, warn: () => {}, error: console.error };
let parent: string;
let dataDir: string;
const children: ChildProcess[] = [];
const servers: EmbeddedPostgres[] = [];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'cool-mint-embedded-'));
  await chmod(parent, 0o711);
  dataDir = join(parent, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) await server.stop();
  await stopLeftOverPostgres({ dataDir }).catch(() => {});
  await rm(parent, { recursive: true, force: true, maxRetries: 20 });
});

const start = async () => {
  const server = await startEmbeddedPostgres({ dataDir, log, waitMs: 200 });
  servers.push(server);
  return server;
};

/** A Node process that starts the server, says so on a line, and lives until it is killed. */
function startInChild(): ChildProcess {
  const module = new URL('./start-embedded-postgres.ts', import.meta.url).href;
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const log = { info() {}, warn() {}, error() {} };
    const { url, adopted } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log });
    console.log(JSON.stringify({ url, adopted }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function firstLine(child: ChildProcess): Promise<{ url: string; adopted: boolean }> {
  const [line] = await once(createInterface({ input: child.stdout! }), 'line');
  return JSON.parse(line);
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function postmasterPid(): Promise<number> {
  return (await findPostmaster(join(dataDir, 'postgres')))!.pid;
}

function randomPartOf(ms: number): () => Promise<unknown> {
  const wanted = Math.random() * ms;
  let begin: number | undefined;
  return async () => {
    begin ??= performance.now();
    if (performance.now() - begin < wanted) throw new Error('not yet');
  };
}

async function refusal(): Promise<string> {
  const error = await start().then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(SetupError);
  return error.message;
}

describe('the embedded Postgres', () => {
  test('starts in an empty folder, listens on 127.0.0.1 only, keeps its password to itself and its data for the next start', async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    const settings = await query<{ name: string; setting: string }>(
      first.url,
      `SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'unix_socket_directories', 'fsync',
       'synchronous_commit', 'full_page_writes', 'data_checksums', 'server_encoding', 'password_encryption') ORDER BY name`,
    );
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      data_checksums: 'on',
      fsync: 'on',
      full_page_writes: 'on',
      listen_addresses: '127.0.0.1',
      password_encryption: 'scram-sha-256',
      server_encoding: 'UTF8',
      synchronous_commit: 'on',
      unix_socket_directories: '',
    });
    expect(await query(first.url, "SELECT upper('äß') AS up, 'Z' < 'a' COLLATE \"default\" AS by_code_point")).toEqual([
      { up: 'Äß', by_code_point: true },
    ]);
    const wrong = new URL(first.url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, 'postgres.log'), 'utf8')).not.toContain(new URL(first.url).password);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await first.stop();
    expect(await findPostmaster(join(dataDir, 'postgres'))).toBeNull();

    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await second.stop();
  });

  test('is adopted by the next start after its Node process was killed, and stopped by it in the end', async () => {
    const child = startInChild();
    const { url } = await firstLine(child);
    await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pid = await postmasterPid();
    await kill(child);

    const next = await start();
    expect(next).toMatchObject({ adopted: true, url });
    expect(await postmasterPid()).toBe(pid);
    expect(await query(next.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await next.stop();
    expect(await findPostmaster(join(dataDir, 'postgres'))).toBeNull();
  });

  test('serves one process at a time, and waits for one that is about to end', async () => {
    const first = await start();
    expect(await refusal()).toMatch(/Another Cool Mint process is using/);
    const next = startEmbeddedPostgres({ dataDir, log });
    await first.stop();
    await (await next).stop();
  });

  test('comes back on the same port after a kill -9 while it is in use', async () => {
    const server = await start();
    await query(server.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    process.kill(await postmasterPid(), 'SIGKILL');
    await expect
      .poll(() => query(server.url, 'SELECT answer FROM kept').catch(() => null), { timeout: 15_000 })
      .toEqual([{ answer: 42 }]);
    await server.stop();
  });

  test('starts after both it and Node were killed, even when a stranger now has its process id', async () => {
    const child = startInChild();
    const { url } = await firstLine(child);
    await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const pid = await postmasterPid();
    const { uid } = await stat(join(dataDir, 'postgres'));
    await kill(child);
    process.kill(pid, 'SIGKILL');

    // The stranger must belong to the server's account: others' Postgres recognises by itself.
    const stranger = spawn('sleep', ['60'], { uid });
    children.push(stranger);
    await once(stranger, 'spawn');
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await writeFile(pidFile, [stranger.pid, ...lines.slice(1)].join('\n'));

    const next = await start();
    expect(next.adopted).toBe(false);
    expect(await query(next.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await next.stop();
    expect(stranger.exitCode).toBeNull();
  });

  const inData = (name: string) => () => stat(join(dataDir, name));
  const moments: [string, () => Promise<unknown>][] = [
    ['the folder is locked', inData('owner.lock')],
    ['the password is written', inData('postgres.password')],
    [
      'initdb begins',
      async () => {
        const names = await readdir(dataDir);
        expect(names.some((name) => name.startsWith('postgres.unfinished-cluster'))).toBe(true);
      },
    ],
    ['the cluster is in place', inData('postgres/PG_VERSION')],
    ['the server starts', inData('postgres/postmaster.pid')],
    ['a random part of 300 ms has passed', randomPartOf(300)],
    ['a random part of 700 ms has passed', randomPartOf(700)],
  ];
  test.each(moments)('recovers from kill -9 in its first start when %s', async (_moment, reached) => {
    const child = startInChild();
    await expect.poll(reached, { interval: 1, timeout: 10_000 }).not.toBeNull();
    await kill(child);
    const next = await start();
    expect(await query(next.url, 'SELECT current_database() AS name')).toEqual([{ name: 'cool_mint' }]);
    await next.stop();
    expect((await readdir(dataDir)).sort()).toEqual(['owner.lock', 'postgres', 'postgres.log', 'postgres.password']);
  });
});

describe('what the embedded Postgres says when it cannot start', () => {
  test('a folder that cannot be made or written', async () => {
    await writeFile(join(parent, 'file'), '');
    dataDir = join(parent, 'file', 'data');
    expect(await refusal()).toMatch(/a file of that name is in the way/);
    expect(explainFileError(Object.assign(new Error(), { code: 'EROFS' }), '/data')).toMatchObject({
      message: expect.stringMatching(/\/data cannot be written.*DATA_DIR/),
    });
    expect(explainFileError(Object.assign(new Error(), { code: 'ENOSPC' }), '/data')).toMatchObject({
      message: expect.stringMatching(/disk .* is full/),
    });
  });

  test.skipIf(asRoot)('a folder without the right to write (root may write everywhere)', async () => {
    await mkdir(dataDir, { mode: 0o500 });
    expect(await refusal()).toMatch(/cannot be written/);
  });

  test('a folder that is not a cluster, is of another version, is damaged, or has lost its password', async () => {
    const cluster = join(dataDir, 'postgres');
    await mkdir(cluster, { recursive: true });
    await writeFile(join(cluster, 'stray'), '');
    expect(await refusal()).toMatch(/PG_VERSION is missing.*restore it.*start afresh/);
    await rm(cluster, { recursive: true });

    await (await start()).stop();
    await writeFile(join(cluster, 'PG_VERSION'), '17\n');
    expect(await refusal()).toMatch(/made by Postgres 17; this Cool Mint brings Postgres 18/);
    await writeFile(join(cluster, 'PG_VERSION'), '18\n');

    await truncate(join(cluster, 'global', 'pg_control'), 100);
    expect(await refusal()).toMatch(
      /The end of .*postgres\.log:\n[\s\S]*pg_control[\s\S]*restore it[\s\S]*start afresh/,
    );

    await rm(join(dataDir, 'postgres.password'));
    expect(await refusal()).toMatch(/postgres\.password, which holds the password .* is missing/);
  });

  test('a platform without a server', async () => {
    await expect(findBinaries('sunos-sparc')).rejects.toThrow(/no embedded Postgres for this platform.*DATABASE_URL/);
  });
});
