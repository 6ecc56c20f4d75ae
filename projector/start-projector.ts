/** The projector: a loop for each projection, one for its rebuilds, and one that measures the lag. */

import { measureLag } from '#projector/lag.ts';
import { loopStatus, startCounting } from '#projector/metrics.ts';
import { projections } from '#projector/projections.ts';
import { runRebuilds } from '#projector/rebuild.ts';
import { type ProjectionStatus, type ProjectorParts, runProjection, statusAtStart } from '#projector/run-projection.ts';

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
