import { Pool } from 'pg';
import type { BaseLogger } from 'pino';
import { watchPool } from '#shared/postgres/pool-metrics.ts';

/** A pool whose idle connections may be cut without harm. `name` is shown in pg_stat_activity. */
export function createPool(databaseUrl: string, name: string, size: number, logger: Pick<BaseLogger, 'warn'>): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    application_name: name,
    max: size,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  pool.on('error', (error) => logger.warn({ error: error.message }, 'an idle database connection was cut'));
  // A client that has left the pool (at its end) may still hear that the server went away: nobody else would listen.
  pool.on('connect', (client) => client.on('error', () => undefined));
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
