/** Measures how far each live projection is behind the log; of the whole installation, whoever applies. */
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { loadCheckpoints } from '#projector/checkpoints.ts';
import { generationOf, liveGeneration } from '#projector/generations.ts';
import { projectorMetrics } from '#projector/metrics.ts';
import type { Projection } from '#projector/projection.ts';
import { projections } from '#projector/projections.ts';
import { readSent } from '#projector/relay-state.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { type Lag, lagPage, standingOf } from '#shared/transport/lag.ts';

const everyMilliseconds = 2_000;

/** Null where the projection has no live generation yet. */
export async function readLag(pool: Pool, log: EventLog, projection: Projection, now: () => Date): Promise<Lag | null> {
  const client = await pool.connect();
  let failed = true;
  let standing: ReturnType<typeof standingOf>;
  try {
    const sent = await readSent(client);
    const live = await liveGeneration(client, projection.name);
    const slots = live && (await loadCheckpoints(client, generationOf(projection, live.generation)));
    failed = false;
    if (!slots) return null;
    standing = standingOf(log, slots, sent);
  } finally {
    client.release(failed);
  }
  return standing.lagOf(await log.readAll(standing.after, lagPage), now());
}

export async function measureLag(
  { pool, log, runtime, logger }: { pool: Pool; log: EventLog; runtime: Runtime; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await runtime.sleep(everyMilliseconds, signal);
    for (const projection of projections) {
      if (signal.aborted) return;
      const labels = { projection: projection.name };
      try {
        const lag = await readLag(pool, log, projection, runtime.now);
        if (!lag) continue;
        projectorMetrics.lagEvents.set(labels, lag.events);
        projectorMetrics.lagSeconds.set(labels, lag.seconds);
      } catch (error) {
        if (!signal.aborted)
          logger.warn({ ...labels, error: (error as Error).message }, 'the lag could not be measured');
      }
    }
  }
}
