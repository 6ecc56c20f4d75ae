/** The projector: a loop for each projection, one for its rebuilds, and one that measures the lag. */

import { loopStatus, projectorMetrics, startCounting } from '#projector/metrics.ts';
import { projections } from '#projector/projections.ts';
import { runRebuilds } from '#projector/rebuild.ts';
import { type ProjectionStatus, type ProjectorParts, runProjection, statusAtStart } from '#projector/run-projection.ts';
import { allSlots } from '#shared/transport/slot.ts';

export interface Projector {
  readonly status: ReadonlyMap<string, ProjectionStatus>;
  stop(): Promise<void>;
}

export function startProjector(parts: ProjectorParts): Projector {
  const stop = new AbortController();
  const status = new Map<string, ProjectionStatus>();
  const loops: Promise<void>[] = [measureLag(parts, stop.signal)];
  for (const projection of projections) {
    const own = statusAtStart(parts.runtime);
    startCounting(projection.name);
    status.set(projection.name, own);
    loops.push(runProjection(parts, projection, own, stop.signal));
    loops.push(runRebuilds(parts, projection, stop.signal));
  }
  loopStatus.projections = status;
  return {
    status,
    async stop() {
      stop.abort();
      await Promise.all(loops);
      if (loopStatus.projections === status) loopStatus.projections = new Map();
    },
  };
}

/** Events counted at most for the lag; a longer one is shown as this. */
const lagCounted = 1_000;

/** Every two seconds: how many events of the log each projection has not applied, and how old the oldest of them is. */
async function measureLag({ log, cache, runtime, logger }: ProjectorParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await runtime.sleep(2_000, signal);
    for (const { name } of projections) {
      const reached = await Promise.all(allSlots.map((slot) => cache.reached(name, slot)));
      const least = reached.filter((position) => position !== null).sort()[0];
      if (least === undefined || signal.aborted) continue;
      try {
        const { events } = await log.readAll(least, lagCounted);
        const oldest = events[0]?.metadata.recordedAt;
        projectorMetrics.lagEvents.set({ projection: name }, events.length);
        projectorMetrics.lagSeconds.set(
          { projection: name },
          oldest ? (runtime.now().getTime() - Date.parse(oldest)) / 1000 : 0,
        );
      } catch (error) {
        logger.warn({ projection: name, error: (error as Error).message }, 'the lag could not be measured');
      }
    }
  }
}
