/**
 * Begins a sync run, or goes on with the open one of the source where the same content is announced. Another open run
 * is cancelled, unless a part of it is being received right now.
 */
import { isDeepStrictEqual } from 'node:util';
import { sql } from 'slonik';
import { z } from 'zod';
import type { Command } from '#command-service/command.ts';
import { type Accepted, handleCommand, type KernelParts, nothingToResolve } from '#command-service/handle-command.ts';
import type { startSyncRunBody } from '#command-service/sync-run/commands.ts';
import { cancelSyncRun, type SyncRunState, startSyncRun, syncRunEvolution } from '#command-service/sync-run/decider.ts';
import { beginRun, endRun, type Lease, readLease, releaseLease } from '#command-service/sync-run/lease.ts';
import { syncMetrics } from '#command-service/sync-run/metrics.ts';
import { decodeEvent } from '#shared/events/codec.ts';
import { commandId, entityId, streamName } from '#shared/events/stream-name.ts';
import { type Refusal, refuse } from '#shared/http/problem.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';

export const batchSize = 500;
/** How long the first run of a source waits for the read model to have read the log; then the caller repeats. */
const catchUpMilliseconds = 10_000;

type Asked = z.infer<typeof startSyncRunBody>;

export interface StartedRun {
  readonly outcome: 'started';
  readonly id: string;
  readonly resumed: boolean;
  readonly run: Accepted<SyncRunState>;
}

export async function startRun(
  parts: KernelParts & { readonly readModel: ReadModel },
  command: Command,
  asked: Asked,
): Promise<StartedRun | Refusal> {
  const id = entityId(command.id);
  const target = (run: string) => ({
    tenant: command.tenant,
    stream: streamName.syncRun(run),
    evolution: syncRunEvolution,
  });
  let epoch = 0;
  const started = await handleCommand(parts, command, {
    ...target(id),
    resolve: async () => {
      const made = await makeRoom(parts, command, asked, id);
      if (typeof made === 'number') epoch = made;
      return typeof made === 'number' ? {} : made;
    },
    decide: (state) =>
      startSyncRun(state, {
        source: asked.source,
        channel: asked.channel,
        mode: asked.mode,
        window: null,
        mapping: asked.mapping as Record<string, string>,
        batchSize,
        epoch,
        parts: asked.parts,
        requestedBy: command.actor,
      }),
  });
  // Recorded or not, it is no longer being begun.
  await releaseLease(parts.pool, command.tenant, asked.source, id, id);
  if (started.outcome === 'recorded') syncMetrics.runs.inc({ outcome: 'started' });
  if (started.outcome !== 'refused') return { outcome: 'started', id, resumed: false, run: started };
  const open = started.code === 'sync-run-busy' ? await openRun(parts, command, asked) : null;
  return open ?? started;
}

/** The open run of the source, where it was announced with the same content and nobody is sending it. */
async function openRun(parts: KernelParts, command: Command, asked: Asked): Promise<StartedRun | null> {
  const lease = await readLease(parts.pool, command.tenant, asked.source);
  if (!lease?.run || lease.held) return null;
  const run = await loadState(parts, command.tenant, lease.run);
  if (!run || !sameContent(run.state, asked)) return null;
  return { outcome: 'started', id: lease.run, resumed: true, run };
}

const sameContent = (state: SyncRunState, asked: Asked): boolean =>
  state.status === 'running' &&
  asked.parts.length > 0 &&
  isDeepStrictEqual(state.started?.parts, asked.parts) &&
  isDeepStrictEqual(state.started?.mapping, asked.mapping) &&
  state.started?.mode === asked.mode;

async function loadState(parts: KernelParts, tenant: string, run: string): Promise<Accepted<SyncRunState> | null> {
  const events = (await Array.fromAsync(parts.log.readStream(tenant, streamName.syncRun(run)))).map(decodeEvent);
  const last = events.at(-1);
  if (!last) return null;
  const state = events.reduce((before, event) => syncRunEvolution.evolve(before, event), syncRunEvolution.initial);
  return { outcome: 'already', state, revision: last.revision, position: last.position, events: [] };
}

/** Clears the way for a new run and answers its epoch. */
async function makeRoom(
  parts: KernelParts & { readonly readModel: ReadModel },
  command: Command,
  asked: Asked,
  id: string,
): Promise<number | Refusal> {
  const { pool } = parts;
  const busy = (detail: string) => refuse('sync-run-busy', detail, { retryAfter: 2 });
  const lease = await readLease(pool, command.tenant, asked.source);
  if (lease?.held && lease.run !== id)
    return busy(`Sync run ${lease.run} of ${asked.source} is receiving a part. Wait for it, or cancel it.`);
  if (lease?.run && lease.run !== id) {
    const open = await loadState(parts, command.tenant, lease.run);
    // Its process died after it had ended, and before it told the lease.
    if (open?.state.status === 'completed')
      await endRun(pool, command.tenant, asked.source, lease.run, watermarkOf(open.state));
    // The caller is answered with the open run itself.
    if (open && sameContent(open.state, asked)) return busy('The same content is being imported already.');
    if (open?.state.status === 'running') {
      const cancelled = await handleCommand(
        parts,
        { ...command, id: commandId(command.tenant, command.actor, `cancel ${lease.run}`, command.id), ifMatch: null },
        {
          tenant: command.tenant,
          stream: streamName.syncRun(lease.run),
          evolution: syncRunEvolution,
          resolve: nothingToResolve,
          decide: (state) => cancelSyncRun(state, 'another sync run of the source was begun with other content'),
        },
      );
      if (cancelled.outcome === 'recorded') syncMetrics.runs.inc({ outcome: 'cancelled' });
      if (cancelled.outcome === 'refused' && cancelled.code !== 'sync-run-ended') return cancelled;
    }
  }
  const epoch = await beginRun(
    pool,
    command.tenant,
    asked.source,
    id,
    lease,
    await pastOf(parts, command.tenant, asked.source, lease),
  );
  return epoch ?? busy(`Another sync run of ${asked.source} was begun at this moment. Try again.`);
}

/**
 * Where the lease row is missing (a new source, or a log that was there before this database): the greatest epoch and
 * watermark that the log tells of, all of it: an epoch that was given before would make new records look old.
 */
async function pastOf(
  { log, readModel }: Pick<KernelParts, 'log'> & { readonly readModel: ReadModel },
  tenant: string,
  source: string,
  lease: Lease | null,
): Promise<{ epoch: number; watermark: string | null }> {
  if (lease) return { epoch: lease.epoch, watermark: lease.watermark };
  const past = await readModel.read({
    projection: 'operations',
    tenant,
    demand: { minPosition: await log.head(), waitMilliseconds: catchUpMilliseconds },
    shape: z.object({ epoch: z.int(), watermark: z.string().nullable() }),
    select: (table) => sql.fragment`(
      select json_build_object('epoch', coalesce(max(epoch), 0),
        'watermark', to_char(max(watermark) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      from ${table('sync_runs')} where tenant = ${tenant} and source = ${source})`,
  });
  return past.data;
}

/** A run whose part is arriving is not completed: its last records would stand beside its account. */
export async function whetherBusy(
  parts: KernelParts,
  command: Command,
  id: string,
): Promise<{ readonly outcome: 'free' } | Refusal> {
  const run = await loadState(parts, command.tenant, id);
  const source = run?.state.status === 'running' ? run.state.started?.source : undefined;
  const lease = source === undefined ? null : await readLease(parts.pool, command.tenant, source);
  return lease?.held && lease.run === id
    ? refuse('sync-run-busy', 'A part of it is being received. Complete it when that has ended.', { retryAfter: 2 })
    : { outcome: 'free' };
}

/** Full and incremental runs have seen the source up to here. */
const watermarkOf = (state: SyncRunState): string | null =>
  state.started?.mode === 'partial' ? null : state.latestStamp;

/** After a run ended: the source is free for the next. A watermark is of completed runs only. */
export async function freeSource(
  parts: KernelParts,
  command: Command,
  id: string,
  { outcome, state }: Accepted<SyncRunState>,
): Promise<void> {
  if (!state.started) return;
  if (outcome === 'recorded') syncMetrics.runs.inc({ outcome: state.status });
  const watermark = state.status === 'completed' ? watermarkOf(state) : null;
  await endRun(parts.pool, command.tenant, state.started.source, id, watermark);
}
