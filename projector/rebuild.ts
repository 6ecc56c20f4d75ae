/**
 * Builds generation n + 1 of a projection from the log alone, beside the live one, and swaps it in. What is to be done
 * is read from the projection's stream: a RebuildStarted without its RebuildFinished. A process that died is resumed
 * by the next one from the checkpoints of the generation it was building.
 */
import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { applyBatch, applyInTransaction, CheckpointMoved, checkpointsAfter, cut, prepare } from '#projector/apply.ts';
import { type Checkpoints, LogExchanged, loadCheckpoints, verifyCheckpoints } from '#projector/checkpoints.ts';
import {
  createGeneration,
  dropGeneration,
  type Generation,
  generationOf,
  type LiveGeneration,
  liveGeneration,
  lockProjection,
} from '#projector/generations.ts';
import { rebuildMetrics } from '#projector/metrics.ts';
import { missingEvents } from '#projector/missing-events.ts';
import { type Projection, tablesOf } from '#projector/projection.ts';
import { underRebuildLease } from '#projector/rebuild-lease.ts';
import type { EventLog, Expected } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { currentVersion, decodeEvent } from '#shared/events/codec.ts';
import type { DomainEvent, StoredEvent, StoredEventOf } from '#shared/events/event.ts';
import { systemTenant } from '#shared/events/metadata.ts';
import { commandEventId, commandId, streamName } from '#shared/events/stream-name.ts';
import { patient } from '#shared/postgres/pool.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const pageSize = 2_000;

export interface RebuildParts {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly logger: Logger;
  readonly runtime: Runtime;
}

export interface RebuildProgress {
  readonly rebuildId: string;
  readonly generation: number;
  readonly events: number;
  readonly startedAt: number;
}

/** By projection: the rebuild that this process is at. */
export const rebuildProgress = new Map<string, RebuildProgress>();

/** Thrown inside a rebuild that somebody cancelled. */
class RebuildCancelled extends Error {
  override readonly name = 'RebuildCancelled';
}

/** Asks for a rebuild where the version changed; then watches for rebuilds, and does them one after another. */
export async function runRebuilds(parts: RebuildParts, projection: Projection, signal: AbortSignal): Promise<void> {
  const owner = randomUUID();
  let failures = 0;
  let upgradeAsked = false;
  while (!signal.aborted) {
    try {
      if (!upgradeAsked) await requestUpgrade(parts, projection);
      upgradeAsked = true;
      const open = await openRebuild(parts.log, projection.name);
      const done =
        open !== null &&
        (await underRebuildLease(parts, projection.name, owner, signal, (leased) =>
          rebuild(parts, projection, open, leased),
        ));
      failures = 0;
      if (!done) await parts.runtime.sleep(500, signal);
    } catch (error) {
      if (signal.aborted) return;
      // Another process was taken for the builder, and has gone on; there is nothing wrong with that.
      if (error instanceof CheckpointMoved || (error as Error).name === 'AbortError') continue;
      rebuildMetrics.finished.inc({ projection: projection.name, outcome: 'failed' });
      parts.logger.error(
        { projection: projection.name, error: (error as Error).message },
        'the rebuild stopped; it is tried again',
      );
      await backOff(parts.runtime, failures++, { base: 200, cap: 10_000, signal });
    }
  }
}

/** A changed version asks for its own generation. */
export async function requestUpgrade(parts: RebuildParts, projection: Projection): Promise<void> {
  const client = await parts.pool.connect();
  try {
    const live = await liveGeneration(client, projection.name);
    if (!live || live.version === projection.version || (await openRebuild(parts.log, projection.name))) return;
    // Several processes of the new version that ask at once ask for the same one; after one that was cancelled it is another.
    const past = (await streamEvents(parts.log, projection.name)).length;
    const rebuildId = commandId(
      systemTenant,
      'system:projector',
      `projections/${projection.name}/rebuilds`,
      `${live.generation} ${projection.version} ${past}`,
    );
    await record(parts, projection.name, rebuildId, {
      type: 'RebuildStarted',
      data: {
        projection: projection.name,
        rebuildId,
        reason: `version ${live.version} → ${projection.version}`,
      },
    });
  } finally {
    client.release();
  }
}

async function streamEvents(log: EventLog, projection: string): Promise<StoredEvent[]> {
  return (await Array.fromAsync(log.readStream(systemTenant, streamName.projection(projection)))).map(decodeEvent);
}

/** The last event of the stream tells most of the time; the stream is read only where it is no end of a rebuild. */
async function openRebuild(log: EventLog, projection: string): Promise<StoredEventOf<'RebuildStarted'> | null> {
  const stream = streamName.projection(projection);
  const last = (await log.readLast(systemTenant, [stream])).get(stream);
  if (!last || last.type === 'RebuildFinished') return null;
  const events = await streamEvents(log, projection);
  const finished = new Set(events.flatMap((event) => (event.type === 'RebuildFinished' ? [event.data.rebuildId] : [])));
  return (
    events.find(
      (event): event is StoredEventOf<'RebuildStarted'> =>
        event.type === 'RebuildStarted' && !finished.has(event.data.rebuildId),
    ) ?? null
  );
}

async function isFinished(log: EventLog, projection: string, rebuildId: string): Promise<boolean> {
  const events = await streamEvents(log, projection);
  return events.some((event) => event.type === 'RebuildFinished' && event.data.rebuildId === rebuildId);
}

/** Appends to the projection's stream as the system; the id is made of the rebuild, so a repeat adds nothing. */
async function record(parts: RebuildParts, projection: string, command: string, event: DomainEvent): Promise<void> {
  const stream = streamName.projection(projection);
  const id = commandEventId(command, event.type, 0);
  for (;;) {
    const events = await streamEvents(parts.log, projection);
    if (events.some((known) => known.id === id)) return;
    const expected: Expected = events.length === 0 ? 'none' : events.length - 1;
    const [result] = await parts.log.append([
      {
        stream,
        expected,
        events: [
          {
            id,
            ...event,
            metadata: {
              tenant: systemTenant,
              recordedAt: parts.runtime.now().toISOString(),
              actor: 'system:projector',
              commandId: command,
              requestHash: event.type,
              correlationId: command,
              causationId: null,
              traceparent: null,
              schemaVersion: currentVersion(event.type),
            },
          },
        ],
      },
    ]);
    if (result?.outcome === 'appended') return;
  }
}

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

async function rebuild(
  parts: RebuildParts,
  projection: Projection,
  request: StoredEventOf<'RebuildStarted'>,
  signal: AbortSignal,
): Promise<void> {
  const { pool, log, logger, runtime } = parts;
  const { rebuildId } = request.data;
  const startedAt = runtime.now().getTime();
  const labels = { projection: projection.name };
  const note = (generation: number, events: number) => {
    rebuildProgress.set(projection.name, { rebuildId, generation, events, startedAt });
    rebuildMetrics.events.set(labels, events);
  };
  let events = 0;
  const finish = async (outcome: 'completed' | 'cancelled' | 'failed', error: string | null) => {
    if (await isFinished(log, projection.name, rebuildId)) return;
    await record(parts, projection.name, rebuildId, {
      type: 'RebuildFinished',
      data: {
        projection: projection.name,
        rebuildId,
        outcome,
        error,
        events,
        seconds: (runtime.now().getTime() - startedAt) / 1000,
      },
    });
  };
  try {
    const swapped = await swappedGenerations(parts, projection, rebuildId);
    if (!swapped) {
      const generation = await buildingGeneration(parts, projection, rebuildId);
      note(generation.number, 0);
      const client = await pool.connect();
      try {
        let checkpoints = await loadCheckpoints(client, generation);
        for (;;) {
          const target = (await targetOf(client, log, projection)).checkpoints;
          const before = events;
          checkpoints = await catchUp(parts, client, generation, checkpoints, target, signal, async (count) => {
            events += count;
            note(generation.number, events);
            if (await isFinished(log, projection.name, rebuildId)) throw new RebuildCancelled();
          });
          // Close behind the live one: what is left is small enough to be done under the lock.
          if (events - before < pageSize) break;
        }
        // The last moment: what is swapped in is not given up any more.
        if (await isFinished(log, projection.name, rebuildId)) throw new RebuildCancelled();
        // A table that was just filled has no statistics yet: its first queries would be planned blindly.
        for (const table of tablesOf(projection))
          await client.query(patient(`analyze ${generation.schema}.${table.name}`));
        events += await swap(parts, client, projection, generation, checkpoints, rebuildId);
      } finally {
        client.release();
      }
    }
    await tellSwap(parts, projection, rebuildId);
    await finish('completed', null);
    rebuildMetrics.finished.inc({ ...labels, outcome: 'completed' });
    logger.info({ projection: projection.name, events }, 'rebuilt');
  } catch (error) {
    if (error instanceof RebuildCancelled) {
      rebuildMetrics.finished.inc({ ...labels, outcome: 'cancelled' });
      await inTransaction(pool, (client) => dropBuilding(client, projection, null));
      return;
    }
    throw error;
  } finally {
    rebuildProgress.delete(projection.name);
    rebuildMetrics.events.remove(labels);
  }
}

/** The live generation and the one before, where the rebuild has been swapped in already (and its process then died). */
async function swappedGenerations(
  parts: RebuildParts,
  projection: Projection,
  rebuildId: string,
): Promise<{ from: number; to: number } | null> {
  const answer = await parts.pool.query<{ generation: number }>(
    "select generation from projector.generations where projection = $1 and rebuild_id = $2 and state = 'live'",
    [projection.name, rebuildId],
  );
  const to = answer.rows[0]?.generation;
  if (to === undefined) return null;
  const before = await parts.pool.query<{ generation: number | null }>(
    'select max(generation) as generation from projector.generations where projection = $1 and generation < $2',
    [projection.name, to],
  );
  return { from: before.rows[0]?.generation ?? 0, to };
}

async function tellSwap(parts: RebuildParts, projection: Projection, rebuildId: string): Promise<void> {
  const swapped = await swappedGenerations(parts, projection, rebuildId);
  if (swapped)
    await record(parts, projection.name, rebuildId, {
      type: 'GenerationSwapped',
      data: { projection: projection.name, rebuildId, ...swapped },
    });
}

async function dropBuilding(client: PoolClient, projection: Projection, keep: string | null): Promise<void> {
  const answer = await client.query<{ generation: number }>(
    "select generation from projector.generations where projection = $1 and state = 'building' and (rebuild_id is distinct from $2 or $2 is null)",
    [projection.name, keep],
  );
  for (const { generation } of answer.rows) await dropGeneration(client, projection.name, generation);
}

/** The generation that this rebuild was building before, or a new one; others that were never finished are dropped. */
async function buildingGeneration(parts: RebuildParts, projection: Projection, rebuildId: string): Promise<Generation> {
  return inTransaction(parts.pool, async (client) => {
    await dropBuilding(client, projection, rebuildId);
    const answer = await client.query<{ generation: number; version: number }>(
      "select generation, version from projector.generations where projection = $1 and state = 'building' and rebuild_id = $2",
      [projection.name, rebuildId],
    );
    const known = answer.rows[0];
    if (known?.version === projection.version) return generationOf(projection, known.generation);
    if (known) await dropGeneration(client, projection.name, known.generation);
    return createGeneration(client, projection, 'building', parts.log.start, rebuildId);
  });
}

interface Target {
  readonly live: LiveGeneration;
  readonly checkpoints: Checkpoints;
  /** Whether the live generation goes on: then the new one takes over exactly where it is. */
  readonly followed: boolean;
}

/**
 * Where the new generation must get to. The live one of another version stands still, and one that was built from
 * another log means nothing here: instead of them, the head of the log is the mark.
 */
async function targetOf(client: PoolClient, log: EventLog, projection: Projection): Promise<Target> {
  const live = await liveGeneration(client, projection.name);
  if (!live) throw new Error(`${projection.name} has no live generation`);
  const checkpoints = await loadCheckpoints(client, generationOf(projection, live.generation));
  const ours = await verifyCheckpoints(log, projection.name, checkpoints).then(
    () => true,
    (error: unknown) => {
      if (error instanceof LogExchanged) return false;
      throw error;
    },
  );
  if (ours && live.version === projection.version) return { live, checkpoints, followed: true };
  const head = await log.head();
  return { live, checkpoints: checkpoints.map((checkpoint) => ({ ...checkpoint, position: head })), followed: false };
}

const positionsOf = (checkpoints: Checkpoints): Position[] => checkpoints.map(({ position }) => position);

/** Applies from the log until every slot is where the target is, never beyond. */
async function catchUp(
  parts: RebuildParts,
  client: PoolClient,
  generation: Generation,
  from: Checkpoints,
  target: Checkpoints,
  signal: AbortSignal,
  applied: (events: number) => Promise<void>,
): Promise<Checkpoints> {
  let checkpoints = from;
  for await (const delivered of missingEvents(parts.log, positionsOf(from), positionsOf(target))) {
    for (const batch of cut(prepare(generation.projection, delivered))) {
      signal.throwIfAborted();
      checkpoints = await applyBatch(client, generation, checkpoints, batch, [], { requireLive: false });
      await applied(batch.length);
    }
  }
  return checkpoints;
}

/** Under the exclusive lock: top up to exactly the live checkpoints, make it live, retire the old, drop older ones. */
async function swap(
  parts: RebuildParts,
  client: PoolClient,
  projection: Projection,
  generation: Generation,
  from: Checkpoints,
  rebuildId: string,
): Promise<number> {
  let events = 0;
  await client.query('begin');
  try {
    await lockProjection(client, projection.name, 'exclusive');
    const { live, checkpoints: target, followed } = await targetOf(client, parts.log, projection);
    let checkpoints = from;
    for await (const delivered of missingEvents(parts.log, positionsOf(from), positionsOf(target)))
      for (const batch of cut(prepare(projection, delivered))) {
        const to = checkpointsAfter(checkpoints, batch, []);
        await applyInTransaction(client, generation, checkpoints, to, batch);
        checkpoints = checkpoints.map((checkpoint, slot) => to.get(slot) ?? checkpoint);
        events += batch.length;
      }
    // A cancellation that was answered before this moment counts.
    if (await isFinished(parts.log, projection.name, rebuildId)) throw new RebuildCancelled();
    if (followed) await takeOverCheckpoints(client, projection.name, live.generation, generation.number);
    else await reachCheckpoints(client, generation, target);
    await client.query("update projector.generations set state = 'retired' where projection = $1 and state = 'live'", [
      projection.name,
    ]);
    await client.query(
      "update projector.generations set state = 'live' where projection = $1 and generation = $2 and rebuild_id = $3",
      [projection.name, generation.number, rebuildId],
    );
    await client.query('update projector.projections set live_generation = $2 where name = $1', [
      projection.name,
      generation.number,
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
  await dropRetired(parts.pool, projection, generation.number);
  return events;
}

/** All up to the target is applied: positions that answers state must not go back behind what was stated before. */
async function reachCheckpoints(client: PoolClient, generation: Generation, target: Checkpoints): Promise<void> {
  await client.query(
    `update projector.checkpoints c set position = greatest(c.position, v.position), time = greatest(c.time, v.time)
     from unnest($3::smallint[], $4::text[], $5::timestamptz[]) as v (slot, position, time)
     where c.projection = $1 and c.generation = $2 and c.slot = v.slot`,
    [
      generation.projection.name,
      generation.number,
      target.map((_, slot) => slot),
      target.map(({ position }) => position),
      target.map(({ time }) => time),
    ],
  );
}

/** The watermarks of the live generation hold for the new one too, for both have applied the same events; that is checked. */
async function takeOverCheckpoints(client: PoolClient, projection: string, from: number, to: number): Promise<void> {
  await client.query(
    `update projector.checkpoints n set position = o.position, time = o.time, ordinal = o.ordinal
     from projector.checkpoints o
     where n.projection = $1 and n.generation = $2 and o.projection = $1 and o.generation = $3 and o.slot = n.slot`,
    [projection, to, from],
  );
  const differing = await client.query(
    `select 1 from projector.checkpoints n join projector.checkpoints o on o.projection = n.projection and o.slot = n.slot
     where n.projection = $1 and n.generation = $2 and o.generation = $3 and n.event_id is distinct from o.event_id`,
    [projection, to, from],
  );
  if (differing.rowCount !== 0)
    throw new Error(`the new generation of ${projection} has not applied the same events as the live one`);
}

/** The generation just before stays for a roll-back; older ones go, when no transaction begun before can read them. */
async function dropRetired(pool: Pool, projection: Projection, live: number): Promise<void> {
  await inTransaction(pool, async (client) => {
    const answer = await client.query<{ generation: number }>(
      "select generation from projector.generations where projection = $1 and state = 'retired' and generation < $2 order by generation desc offset 1",
      [projection.name, live],
    );
    for (const { generation } of answer.rows) await dropGeneration(client, projection.name, generation);
  });
}
