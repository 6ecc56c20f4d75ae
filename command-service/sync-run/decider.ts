/**
 * A sync run: running → completed, failed or cancelled. Parts are received in batches; a part is whole when its last
 * batch was applied.
 */

import { alreadySo, type Decision, type Evolution, record } from '#command-service/decision.ts';
import type { EventData, StoredEvent } from '#shared/events/event.ts';
import type { SyncCounts } from '#shared/events/sync-run.ts';
import { refuse } from '#shared/http/problem.ts';

export interface PartState {
  readonly digest: string | null;
  /** Batches applied, from 0 to this one, not included. */
  readonly batches: number;
  readonly whole: boolean;
}

export interface SyncRunState {
  readonly status: 'missing' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly started: EventData<'SyncStarted'> | null;
  readonly parts: ReadonlyMap<number, PartState>;
  readonly totals: SyncCounts;
  /** The latest stamp of the source in any batch. */
  readonly latestStamp: string | null;
}

export const noCounts: SyncCounts = {
  received: 0,
  recorded: 0,
  revised: 0,
  unchanged: 0,
  stale: 0,
  deleted: 0,
  rejected: 0,
};

export const addCounts = (a: SyncCounts, b: SyncCounts): SyncCounts => ({
  received: a.received + b.received,
  recorded: a.recorded + b.recorded,
  revised: a.revised + b.revised,
  unchanged: a.unchanged + b.unchanged,
  stale: a.stale + b.stale,
  deleted: a.deleted + b.deleted,
  rejected: a.rejected + b.rejected,
});

export const syncRunEvolution: Evolution<SyncRunState> = {
  initial: { status: 'missing', started: null, parts: new Map(), totals: noCounts, latestStamp: null },
  evolve(state: SyncRunState, event: StoredEvent): SyncRunState {
    switch (event.type) {
      case 'SyncStarted':
        return { ...state, status: 'running', started: event.data };
      case 'SyncBatchApplied': {
        const { part, batch, digest, last, latestStamp } = event.data;
        const parts = new Map(state.parts).set(part, { digest, batches: batch + 1, whole: last });
        const latest =
          latestStamp !== null && (state.latestStamp === null || latestStamp > state.latestStamp)
            ? latestStamp
            : state.latestStamp;
        return { ...state, parts, totals: addCounts(state.totals, event.data), latestStamp: latest };
      }
      case 'SyncCompleted':
        return { ...state, status: 'completed' };
      case 'SyncFailed':
        return { ...state, status: 'failed' };
      case 'SyncCancelled':
        return { ...state, status: 'cancelled' };
      default:
        return state;
    }
  },
};

const missing = refuse('not-found', 'There is no such sync run.');
const ended = (status: string) => refuse('sync-run-ended', `The sync run is ${status}. Start another one.`);

export function startSyncRun(state: SyncRunState, asked: EventData<'SyncStarted'>): Decision {
  return state.status === 'missing' ? record({ type: 'SyncStarted', data: asked }) : alreadySo;
}

export function completeSyncRun(state: SyncRunState): Decision {
  if (state.status === 'missing') return missing;
  if (state.status === 'completed') return alreadySo;
  if (state.status !== 'running') return ended(state.status);
  const announced = state.started?.parts.map(({ part }) => part) ?? [];
  const lacking = [...new Set([...announced, ...state.parts.keys()])].filter((part) => !state.parts.get(part)?.whole);
  if (lacking.length > 0)
    return refuse(
      'sync-run-incomplete',
      `Send part ${lacking.slice(0, 10).join(', ')}${lacking.length > 10 ? ' and others' : ''} first.`,
    );
  return record({
    type: 'SyncCompleted',
    data: { totals: state.totals, watermark: state.started?.mode === 'partial' ? null : state.latestStamp },
  });
}

export function cancelSyncRun(state: SyncRunState, reason: string): Decision {
  if (state.status === 'missing') return missing;
  if (state.status === 'cancelled') return alreadySo;
  if (state.status !== 'running') return ended(state.status);
  return record({ type: 'SyncCancelled', data: { totals: state.totals, reason } });
}
