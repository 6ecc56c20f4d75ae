/** Every ten seconds: how many planned appends wait, and how old the oldest of them is. */
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { commandMetrics } from '#command-service/metrics.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const everyMilliseconds = 10_000;

export interface Measured {
  stop(): Promise<void>;
}

export function measurePlannedAppends(pool: Pool, runtime: Runtime, logger: Logger): Measured {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const { rows } = await pool.query<{ plans: number; age: number }>(
          `select count(*)::int as plans, coalesce(extract(epoch from now() - min(planned_at)), 0)::float8 as age
           from command.planned_appends`,
        );
        commandMetrics.plans.set(rows[0]?.plans ?? 0);
        commandMetrics.oldestPlan.set(rows[0]?.age ?? 0);
      } catch (error) {
        logger.warn({ error: (error as Error).message }, 'the planned appends could not be counted');
      }
      await runtime.sleep(everyMilliseconds, stop.signal);
    }
  })();
  return {
    async stop() {
      stop.abort();
      await loop;
    },
  };
}
