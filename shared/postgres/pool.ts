import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type ClientBase, Pool, type QueryConfig } from 'pg';
import type { BaseLogger } from 'pino';
import { cutConnection } from '#shared/postgres/end-session.ts';
import { watchPool } from '#shared/postgres/pool-metrics.ts';
import { isReadTimeout } from '#shared/postgres/transient-error.ts';

/** A server that answers nothing for so long is given up: less than a loop may stand still before its process is taken for dead. */
const answerMilliseconds = 25_000;
/** A transaction in which nothing was asked for so long belongs to nobody any more, and its locks are let go. */
const idleTransactionMilliseconds = 30_000;
const patientMilliseconds = 3_600_000;

/** A statement with a limit of its own, in milliseconds; its connection is given up with it. */
export const limited = (text: string, milliseconds: number): QueryConfig =>
  ({ text, query_timeout: milliseconds }) as QueryConfig;

/** A statement that may take as long as there is data. */
export const patient = (text: string): QueryConfig => limited(text, patientMilliseconds);

const names = new LRUCache<string, string>({ max: 2_000 });

function nameOf(text: string): string {
  const known = names.get(text);
  if (known) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 24);
  names.set(text, name);
  return name;
}

/**
 * Statements with parameters are prepared once a connection: to plan them anew takes longer than to run them (a batch of
 * one event into the catalog 1.5 ms, prepared 0.4). A pooler that hands connections around would mix them up.
 */
function prepareStatements(client: ClientBase): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const prepared = (text: unknown, values?: unknown, ...rest: unknown[]) =>
    typeof text === 'string' && Array.isArray(values)
      ? query({ name: nameOf(text), text }, values, ...rest)
      : query(text, values, ...rest);
  Object.assign(client, { query: prepared });
}

/** Nobody knows what becomes of a statement that was given up, so nothing else is asked on its connection. */
function cutWhatIsGivenUp(client: ClientBase): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const watched = (...given: unknown[]) => {
    const answer = query(...given);
    if (answer instanceof Promise)
      answer.catch((error: unknown) => {
        if (isReadTimeout(error)) cutConnection(client);
      });
    return answer;
  };
  Object.assign(client, { query: watched });
}

/**
 * A pool whose idle connections may be cut without harm. `name` is shown in pg_stat_activity. `direct`: no pooler stands
 * between, so that limits can be asked for with a session, and statements prepared. Statements that are not waited for go out at once, in their
 * order; one that fails inside a transaction fails those behind it.
 */
export function createPool(
  databaseUrl: string,
  name: string,
  size: number,
  logger: Pick<BaseLogger, 'warn'>,
  direct = false,
): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    application_name: name,
    max: size,
    connectionTimeoutMillis: 10_000,
    query_timeout: answerMilliseconds,
    ...(direct ? { idle_in_transaction_session_timeout: idleTransactionMilliseconds } : {}),
    keepAlive: true,
    pipeline: true,
    // With what was prepared on it, for tables that are long gone.
    maxLifetimeSeconds: 3_600,
  });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'an idle database connection was cut'));
  // A client that has left the pool (at its end) may still hear that the server went away: nobody else would listen.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    if (direct) prepareStatements(client);
    cutWhatIsGivenUp(client);
  });
  watchPool({
    name: 'main',
    most: size,
    state: () =>
      pool.ended
        ? null
        : { active: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount },
  });
  return pool;
}
