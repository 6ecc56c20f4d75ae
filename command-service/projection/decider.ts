/** Rebuilds of one projection: one at a time; a running one may be cancelled. */

import { alreadySo, type Decision, type Evolution, record } from '#command-service/decision.ts';
import type { StoredEvent } from '#shared/events/event.ts';
import { refuse } from '#shared/http/problem.ts';

export interface ProjectionState {
  readonly rebuilds: ReadonlyMap<string, 'running' | 'completed' | 'cancelled' | 'failed'>;
  readonly running: string | null;
}

export const projectionEvolution: Evolution<ProjectionState> = {
  initial: { rebuilds: new Map(), running: null },
  evolve(state: ProjectionState, event: StoredEvent): ProjectionState {
    switch (event.type) {
      case 'RebuildStarted':
        return {
          rebuilds: new Map(state.rebuilds).set(event.data.rebuildId, 'running'),
          running: event.data.rebuildId,
        };
      case 'RebuildFinished':
        return {
          rebuilds: new Map(state.rebuilds).set(event.data.rebuildId, event.data.outcome),
          running: state.running === event.data.rebuildId ? null : state.running,
        };
      default:
        return state;
    }
  },
};

export function startRebuild(
  state: ProjectionState,
  projection: string,
  rebuildId: string,
  reason: string | null,
): Decision {
  if (state.rebuilds.has(rebuildId)) return alreadySo;
  if (state.running !== null)
    return refuse('rebuild-running', `Rebuild ${state.running} is under way. Wait for it, or cancel it.`);
  return record({ type: 'RebuildStarted', data: { projection, rebuildId, reason } });
}

export function cancelRebuild(state: ProjectionState, projection: string, rebuildId: string): Decision {
  const status = state.rebuilds.get(rebuildId);
  if (status === undefined) return refuse('not-found', 'There is no such rebuild of this projection.');
  if (status === 'cancelled') return alreadySo;
  if (status !== 'running') return refuse('rebuild-ended', `The rebuild is ${status}.`);
  return record({
    type: 'RebuildFinished',
    data: { projection, rebuildId, outcome: 'cancelled', error: null, events: 0, seconds: 0 },
  });
}
