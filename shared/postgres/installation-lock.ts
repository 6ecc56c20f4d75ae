/**
 * Who works with an installation. Each process of the service shares an advisory lock, on a session of its own past any
 * pooler; what writes in place of the service (a restore, a copy of the log) has it alone. Not by the names of sessions:
 * a pooler keeps those of processes that have ended.
 *
 * There is one lock for each kind of event log, so that a copy knows which of them a service works with, and one for each
 * thing that a process does, so that one can see that nobody does it.
 */
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { SetupError } from '#shared/errors/setup-error.ts';
import { endSession } from '#shared/postgres/end-session.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export type LogKind = 'postgres' | 'eventstoredb';

/** The numbers are only ours. */
const keys: Readonly<Record<LogKind, number>> = { postgres: 7_305_120_443, eventstoredb: 7_305_120_444 };
const kinds = Object.keys(keys) as LogKind[];

export type Work = 'commands' | 'queries' | 'relay' | 'apply';

const workKeys: Readonly<Record<Work, number>> = {
  commands: 7_305_120_451,
  queries: 7_305_120_452,
  relay: 7_305_120_453,
  apply: 7_305_120_454,
};

/** The session of a process that has just ended holds its lock for a moment. */
const patienceMilliseconds = 3_000;
const pollMilliseconds = 100;

interface Session extends AsyncDisposable {
  readonly client: Client;
  /** Resolves when it was cut, or closed. */
  readonly ended: Promise<void>;
}

async function openSession(directUrl: string): Promise<Session> {
  const client = new Client({
    connectionString: directUrl,
    application_name: 'cool-mint installation',
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
  });
  const ended = new Promise<void>((resolve) => {
    client.on('end', resolve);
    client.on('error', () => resolve());
  });
  const close = () => endSession(client);
  try {
    await client.connect();
    await client.query('set idle_session_timeout = 0');
  } catch (error) {
    await close();
    throw error;
  }
  return { client, ended, [Symbol.asyncDispose]: close };
}

/** All of them, or none. */
async function tryLocks(client: Client, wanted: readonly number[], shared: boolean): Promise<boolean> {
  const lock = shared ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock';
  for (const key of wanted) {
    const answer = await client.query<{ got: boolean }>(`select ${lock}($1) as got`, [key]);
    if (answer.rows[0]?.got) continue;
    await client.query('select pg_advisory_unlock_all()');
    return false;
  }
  return true;
}

/** Polled: whoever waits for a lock alone would keep out everybody who wants to share it. */
async function patiently(work: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + patienceMilliseconds;
  for (;;) {
    if (await work()) return true;
    if (performance.now() > until) return false;
    await setTimeout(pollMilliseconds);
  }
}

export interface JoinOptions {
  readonly directUrl: string;
  /** Where the event log of this process is. */
  readonly log: LogKind;
  /** What it does. */
  readonly work: readonly Work[];
  readonly runtime: Runtime;
  readonly logger: Pick<Logger, 'warn'>;
}

/**
 * A process of the service is at work, until it is disposed of. A session that is cut is made again in the background.
 * Throws a SetupError while a restore or a copy of the log is under way.
 */
export async function joinInstallation({
  directUrl,
  log,
  work,
  runtime,
  logger,
}: JoinOptions): Promise<AsyncDisposable> {
  const wanted = [keys[log], ...work.map((each) => workKeys[each])];
  const stop = new AbortController();
  let session = await openSession(directUrl);
  if (!(await patiently(() => tryLocks(session.client, wanted, true)))) {
    await session[Symbol.asyncDispose]();
    throw new SetupError(
      'A restore, or a copy of the event log, is under way in this database. Wait until it has ended, then start again.',
    );
  }

  async function again(): Promise<boolean> {
    try {
      const next = await openSession(directUrl);
      if (!stop.signal.aborted && (await tryLocks(next.client, wanted, true))) {
        session = next;
        return true;
      }
      await next[Symbol.asyncDispose]();
    } catch {
      // The next attempt tells; everything that needs the database tells meanwhile.
    }
    return false;
  }

  const running = (async () => {
    while (!stop.signal.aborted) {
      await session.ended;
      await session[Symbol.asyncDispose]();
      if (stop.signal.aborted) return;
      logger.warn('the session that shows this process to be at work was cut: it is made again');
      for (let attempt = 0; !stop.signal.aborted && !(await again()); attempt++)
        await backOff(runtime, attempt, { base: 100, cap: 5_000, signal: stop.signal });
    }
  })();

  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await session[Symbol.asyncDispose]();
      await running;
      await session[Symbol.asyncDispose]();
    },
  };
}

/** In place of every service that works with one of these logs; null where there is one, or another who is alone. */
export async function takeInstallation(directUrl: string, logs = kinds): Promise<AsyncDisposable | null> {
  const session = await openSession(directUrl);
  const wanted = logs.map((log) => keys[log]);
  if (await patiently(() => tryLocks(session.client, wanted, false))) return session;
  await session[Symbol.asyncDispose]();
  return null;
}

/** How many processes share each lock of this database. */
async function sharedLocks(directUrl: string): Promise<ReadonlyMap<number, number>> {
  const client = new Client({ connectionString: directUrl, application_name: 'cool-mint look' });
  await client.connect();
  try {
    const answer = await client.query<{ key: string; processes: number }>(
      `select (classid::bigint << 32) | objid::bigint as key, count(*)::int as processes from pg_locks
       where locktype = 'advisory' and objsubid = 1 and granted and mode = 'ShareLock'
         and database = (select oid from pg_database where datname = current_database())
       group by 1`,
    );
    return new Map(answer.rows.map(({ key, processes }) => [Number(key), processes]));
  } finally {
    await client.end();
  }
}

/** Which logs processes of the service work with that are at work now on this database. */
export async function logsInUse(directUrl: string): Promise<ReadonlySet<LogKind>> {
  const shared = await sharedLocks(directUrl);
  return new Set(kinds.filter((kind) => shared.has(keys[kind])));
}

/** How many processes at work now on this database do each thing; empty where none is. */
export async function workAtHand(directUrl: string): Promise<ReadonlyMap<Work, number>> {
  const shared = await sharedLocks(directUrl);
  if (!kinds.some((kind) => shared.has(keys[kind]))) return new Map();
  return new Map(Object.entries(workKeys).map(([work, key]) => [work as Work, shared.get(key) ?? 0]));
}
