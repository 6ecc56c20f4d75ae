import { open, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BaseLogger } from 'pino';
import { SetupError } from '#shared/errors/setup-error.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { ensureCluster, goOn, lastLines } from './create-cluster.ts';
import { type DataFolder, diskFull, explainFileError, openDataFolder, removeUnfinished } from './data-folder.ts';
import { type Binaries, findBinaries } from './find-binaries.ts';
import { lockFolder } from './folder-lock.ts';
import { answers, disownPidFile, embeddedUrl, findPostmaster, isPostmaster, query } from './running-server.ts';
import { type Account, findAccount, findRun, type Run } from './server-account.ts';

/**
 * A Postgres server of our own, for people who have none. Its life:
 *
 * A start takes the data folder's lock, makes the cluster if there is none, and looks for a server that a killed process
 * has left running. One that answers is adopted; one that does not is stopped. Otherwise a server is started on a free
 * port of 127.0.0.1. While it is ours, a watch starts it again on the same port should someone kill it. `stop` ends it,
 * adopted or not. If this process is killed, the server stays until the next start.
 */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** With the password in it: not for logs. */
  url: string;
  /** True if the server was already running. */
  adopted: boolean;
  /** Ends the server; stop the pools first, their idle connections would report errors. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  dataDir: string;
  log: Pick<BaseLogger, 'info' | 'warn' | 'error'>;
  /** False gives up safety against power cuts for speed; for tests only. */
  durable?: boolean;
  /** How long to wait for another process that still holds the folder, for one that is being replaced; 10 s by default. */
  waitMs?: number;
}

const logLimitBytes = 10_000_000;
const watchIntervalMs = 1_000;

/** Throws a SetupError if the machine or the folder does not allow it. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, durable = true, waitMs = 10_000 } = options;
  const dataDir = resolve(options.dataDir);
  const binaries = await findBinaries();
  const account = await findAccount(join(dataDir, 'postgres'));
  const folder = await openDataFolder(dataDir, account);
  const unlock = await lockFolder(folder.lock, dataDir, waitMs);
  try {
    const run = await findRun(account, binaries, folder.root);
    await removeUnfinished(folder);
    const password = await ensureCluster(folder, binaries, account, run, durable);
    const url = (port: number, database?: string) => embeddedUrl(password, port, database);
    const server: Server = { folder, binaries, account, run, durable };

    let postmaster = await adopt(server, (port) => url(port, 'postgres'));
    const adopted = postmaster !== null;
    postmaster ??= await startServer(server);
    await ensureDatabase(url(postmaster.port, 'postgres'), dataDir);
    log.info(
      { port: postmaster.port, dataDir, adopted },
      adopted ? 'adopted the running Postgres' : 'started Postgres',
    );

    const unwatch = watch(server, postmaster, log);
    const stop = once(async () => {
      await unwatch();
      await stopServer(server);
      unlock();
    });
    return { url: url(postmaster.port), adopted, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    unlock();
    throw explainFileError(error, dataDir);
  }
}

/** Ends a server that a killed process has left in a data folder. Refuses, with a SetupError, if the folder is in use. */
export async function stopLeftOverPostgres(options: { dataDir: string }): Promise<void> {
  const binaries = await findBinaries();
  const account = await findAccount(join(options.dataDir, 'postgres'));
  const folder = await openDataFolder(options.dataDir, account);
  const unlock = await lockFolder(folder.lock, folder.root, 0);
  try {
    const run = await findRun(account, binaries, folder.root);
    await stopServer({ folder, binaries, account, run, durable: false });
  } finally {
    unlock();
  }
}

interface Server {
  folder: DataFolder;
  binaries: Binaries;
  account: Account | null;
  run: Run;
  durable: boolean;
}

async function adopt(server: Server, url: (port: number) => string): Promise<{ pid: number; port: number } | null> {
  const { cluster } = server.folder;
  const postmaster = await findPostmaster(cluster);
  if (postmaster && (await answers(url(postmaster.port), cluster))) return postmaster;
  if (postmaster) await stopServer(server, 10);
  await disownPidFile(cluster);
  return null;
}

/** Starts the server and waits until it takes connections; on `fixedPort` if given, otherwise on a free one. */
async function startServer(server: Server, fixedPort?: number): Promise<{ pid: number; port: number }> {
  const { folder, binaries, run } = server;
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? (await freePort());
    const logBegin = await openLog(server);
    const { code, output } = await run(binaries.pg_ctl, [
      'start',
      '--wait',
      '--timeout=600', // Replaying the log after a crash may take minutes.
      `--pgdata=${folder.cluster}`,
      `--log=${folder.log}`,
      `--options=${serverOptions(port, server.durable)}`,
    ]);
    const postmaster = await findPostmaster(folder.cluster);
    if (code === 0 && postmaster) return postmaster;
    if (postmaster) await stopServer(server);

    const said = await readLog(folder, logBegin);
    // Someone else took the port, or the children of a killed server have not noticed yet that it is gone.
    const passing = /could not create any TCP\/IP sockets|pre-existing shared memory block/.test(said);
    if (passing && attempt < 20) {
      await delay(250);
      continue;
    }
    if (/No space left on device|Disk quota exceeded/.test(said)) throw diskFull(folder.root);
    if (/pre-existing shared memory block/.test(said)) {
      throw new SetupError(
        `A Postgres server on ${folder.cluster} was killed, and some of its processes have not ended. End them (they are called "postgres: ..." in the list of processes), or start the machine anew.`,
      );
    }
    throw new SetupError(
      `The embedded Postgres does not start with the data in ${folder.cluster}. The end of ${folder.log}:\n${lastLines(said || output)}\nIf the data is damaged: ${goOn(folder)}`,
    );
  }
}

function serverOptions(port: number, durable: boolean): string {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
  };
  const pairs = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  return [`-p ${port}`, ...pairs].join(' ');
}

/** A fast shutdown breaks off queries and writes a checkpoint, which may take a while on a slow disk. */
async function stopServer(server: Server, fastSeconds = 60): Promise<void> {
  const { folder, binaries, run } = server;
  const modes: [string, number][] = [
    ['fast', fastSeconds],
    ['immediate', 10],
  ];
  for (const [mode, seconds] of modes) {
    if (!(await findPostmaster(folder.cluster))) return;
    await run(binaries.pg_ctl, [
      'stop',
      `--mode=${mode}`,
      '--wait',
      `--timeout=${seconds}`,
      `--pgdata=${folder.cluster}`,
    ]);
  }
  // It does not even listen to signals (it may have been frozen). Postgres is built to survive this.
  const postmaster = await findPostmaster(folder.cluster);
  if (!postmaster) return;
  process.kill(postmaster.pid, 'SIGKILL');
  while (await isPostmaster(postmaster.pid, folder.cluster)) await delay(20);
}

/** Starts the server again, on the port that the pools know, when it was killed. Returns the end of the watch. */
function watch(server: Server, first: { pid: number; port: number }, log: EmbeddedPostgresOptions['log']) {
  let pid = first.pid;
  let stopped = false;
  let round: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;

  async function look(): Promise<void> {
    if (stopped || (await isPostmaster(pid, server.folder.cluster)) || stopped) return;
    log.warn({ port: first.port }, 'Postgres has died; starting it again');
    try {
      await disownPidFile(server.folder.cluster);
      pid = (await startServer(server, first.port)).pid;
      log.info({ port: first.port }, 'Postgres is back');
    } catch (error) {
      log.error({ err: error }, 'Postgres did not start again; will try once more');
    }
  }
  function schedule(): void {
    timer = setTimeout(() => {
      round = look().finally(() => {
        if (!stopped) schedule();
      });
    }, watchIntervalMs);
    timer.unref();
  }
  schedule();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await round;
  };
}

async function ensureDatabase(url: string, dataDir: string): Promise<void> {
  try {
    const found = await query(url, "SELECT 1 FROM pg_database WHERE datname = 'cool_mint'");
    if (found.length === 0) await query(url, 'CREATE DATABASE cool_mint');
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === '53100') throw diskFull(dataDir, error);
    if (code === '28P01') {
      throw new SetupError(
        `The password in ${join(dataDir, 'postgres.password')} is not the one of the database beside it. Restore the file that belongs to it, or move both away and start afresh with an empty database.`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Makes sure of a log file that the server's account can write, and returns its length. */
async function openLog({ folder, account }: Server): Promise<number> {
  const size = await stat(folder.log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logLimitBytes) await rename(folder.log, `${folder.log}.1`);
  const handle = await open(folder.log, 'a', 0o600);
  try {
    if (account) await handle.chown(account.uid, account.gid);
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function readLog(folder: DataFolder, from: number): Promise<string> {
  const handle = await open(folder.log, 'r');
  try {
    const { size } = await handle.stat();
    const begin = Math.max(from, size - 20_000);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(size - begin, 0)), 0, undefined, begin);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => {
    result ??= action();
    return result;
  };
}
