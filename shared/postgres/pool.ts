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
 * between, so that limits can be asked for with a session. Statements that are not waited for go out at once, in their
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
  });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'an idle database connection was cut'));
  // A client that has left the pool (at its end) may still hear that the server went away: nobody else would listen.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
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
