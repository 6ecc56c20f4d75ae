/**
 * The loop of one projection: find the live generation, go on from its checkpoints, apply what is delivered, publish
 * how far it is. Whatever fails, it begins again from the checkpoints in the database after a back-off.
 *
 * States: starting (nothing was received yet), running (events are applied), standing (the live generation was made by another version; a rebuild is under
 * way), failing (the last attempt ended with an error; it is shown, and tried again).
 */

import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import {
  applyBatch,
  CheckpointMoved,
  cut,
  GenerationMoved,
  type Prepared,
  prepare,
  type Sorted,
  sortDelivery,
} from '#projector/apply.ts';
import { type Checkpoints, loadCheckpoints, verifyCheckpoints } from '#projector/checkpoints.ts';
import { ensureLiveGeneration, type Generation, generationOf } from '#projector/generations.ts';
import { projectorMetrics } from '#projector/metrics.ts';
import { missingEvents } from '#projector/missing-events.ts';
import type { Projection } from '#projector/projection.ts';
import type { Cache } from '#shared/cache/cache.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { laterOf, type Position } from '#shared/event-log/position.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { inSpan, traceparentsOf } from '#shared/telemetry/span.ts';
import { allSlots } from '#shared/transport/slot.ts';
import type { Delivery, Transport, Watermark } from '#shared/transport/transport.ts';

export interface ProjectionStatus {
  state: 'starting' | 'running' | 'standing' | 'failing';
  error: string | null;
  /** What keeps events from coming, in words (a broker that is away); null where all is well. */
  waitingFor: string | null;
  /** When the loop last showed a sign of life, in milliseconds of the epoch. */
  tickedAt: number;
}

export const statusAtStart = (runtime: Runtime): ProjectionStatus => ({
  state: 'starting',
  error: null,
  waitingFor: null,
  tickedAt: runtime.now().getTime(),
});

export interface ProjectorParts {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly transport: Transport;
  readonly cache: Cache;
  readonly logger: Logger;
  readonly runtime: Runtime;
  /** Awaited before each transaction; tests slow the projector with it. */
  readonly pace?: () => Promise<void>;
}

/** The topic tells of an event that the log does not hold. */
class LogLacks extends Error {
  override readonly name = 'LogLacks';
}

export async function runProjection(
  parts: ProjectorParts,
  projection: Projection,
  status: ProjectionStatus,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, logger } = parts;
  for (let failures = 0; !signal.aborted; ) {
    try {
      await runGeneration(parts, projection, status, signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (error instanceof GenerationMoved || error instanceof CheckpointMoved) continue;
      if (signal.aborted) return;
      status.tickedAt = runtime.now().getTime();
      status.state = 'failing';
      status.error = (error as Error).message;
      projectorMetrics.failures.inc({ projection: projection.name });
      logger.error({ projection: projection.name, error: status.error }, 'the projection stopped; it is tried again');
      await backOff(runtime, failures++, { base: 100, cap: 10_000, signal });
      status.tickedAt = runtime.now().getTime();
    }
  }
}

async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // A connection that failed is not used again: nobody knows what state it is in.
    const spent =
      failure !== undefined && !(failure instanceof GenerationMoved) && !(failure instanceof CheckpointMoved);
    client.release(spent);
  }
}

async function runGeneration(
  parts: ProjectorParts,
  projection: Projection,
  status: ProjectionStatus,
  signal: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  const { pool, log, transport, cache, runtime } = parts;
  const live = await withClient(pool, (client) => ensureLiveGeneration(client, projection, log.start));
  const generation = generationOf(projection, live.generation);
  // Also where it stands: that nothing moves is to be seen.
  noteCheckpoints(projection.name, await withClient(pool, (client) => loadCheckpoints(client, generation)));
  if (live.version !== projection.version) {
    status.state = 'standing';
    status.error = `generation ${live.generation} was made by version ${live.version}; version ${projection.version} builds its own`;
    status.tickedAt = runtime.now().getTime();
    await runtime.sleep(500, signal);
    return;
  }
  const reload = async () => {
    const loaded = await withClient(pool, (client) => loadCheckpoints(client, generation));
    await publish(cache, generation, loaded, allSlots, null);
    return loaded;
  };
  let checkpoints = await withClient(pool, (client) => loadCheckpoints(client, generation));
  await verifyCheckpoints(log, projection.name, checkpoints);
  await publish(cache, generation, checkpoints, allSlots, null);

  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const alive = () => {
    ended.throwIfAborted();
    status.tickedAt = runtime.now().getTime();
  };
  try {
    const positions = checkpoints.map((checkpoint) => checkpoint.position);
    for await (const delivery of transport.deliver(projection.name, positions, ended)) {
      alive();
      status.waitingFor = delivery.waitingFor ?? null;
      if (status.waitingFor === null) {
        status.state = 'running';
        status.error = null;
      }
      const before = checkpoints;
      for (let applied = false; !applied; ) {
        try {
          checkpoints = await applyDelivery(parts, generation, checkpoints, delivery, alive);
          applied = true;
        } catch (error) {
          // Another process has applied something of these slots; what is left of the delivery is applied after it.
          if (!(error instanceof CheckpointMoved) || ended.aborted) throw error;
          checkpoints = await reload();
        }
      }
      if (checkpoints !== before) succeeded();
    }
  } finally {
    stop.abort();
  }
}

/** `alive` is called as the work goes on, and throws where it is to end. */
async function applyDelivery(
  parts: ProjectorParts,
  generation: Generation,
  from: Checkpoints,
  delivery: Delivery,
  alive: () => void,
): Promise<Checkpoints> {
  const projection = generation.projection;
  const labels = { projection: projection.name };
  let checkpoints = from;
  let sorted = sortDelivery(from, delivery);
  if (sorted.duplicates > 0) projectorMetrics.duplicates.inc(labels, sorted.duplicates);
  if (sorted.gaps.length > 0) {
    // What looks missing may have been applied by another process that had the slot before.
    if (await othersApplied(parts.pool, generation, from, sorted.gaps)) throw new CheckpointMoved();
    checkpoints = await repair(parts, generation, from, sorted.gaps, alive);
    sorted = sortDelivery(checkpoints, delivery);
    const [gap] = sorted.gaps;
    if (gap)
      throw new LogLacks(
        `the topic tells of an event at ${gap.upTo} that the event log does not hold: it was exchanged, or something else writes to the topic`,
      );
  }
  const batches = [...cut(prepare(projection, sorted.apply))];
  // Watermarks hold once all events are applied: they go with the last of them, or alone.
  const last = batches.pop() ?? [];
  for (const batch of batches) {
    checkpoints = await applyStep(parts, generation, checkpoints, batch, []);
    alive();
  }
  checkpoints = await applyStep(parts, generation, checkpoints, last, delivery.watermarks);
  noteCheckpoints(projection.name, checkpoints);
  return checkpoints;
}

/** Applies from the log what did not arrive; by pages, each applied before the next is read. */
async function repair(
  parts: ProjectorParts,
  generation: Generation,
  from: Checkpoints,
  gaps: Sorted['gaps'],
  alive: () => void,
): Promise<Checkpoints> {
  const labels = { projection: generation.projection.name };
  const upTo = from.map(({ position }) => position);
  for (const gap of gaps) upTo[gap.slot] = laterOf(upTo[gap.slot] as Position, gap.upTo);
  let checkpoints = from;
  let events = 0;
  const positions = from.map(({ position }) => position);
  for await (const delivered of missingEvents(parts.log, positions, upTo)) {
    for (const batch of cut(prepare(generation.projection, delivered))) {
      checkpoints = await applyStep(parts, generation, checkpoints, batch, []);
      alive();
    }
    events += delivered.length;
    alive();
  }
  projectorMetrics.gaps.inc(labels, gaps.length);
  const slots = [...new Set(gaps.map(({ slot }) => slot))];
  parts.logger.warn({ ...labels, slots, events }, 'events did not arrive; they were read from the log');
  return checkpoints;
}

/** One transaction, and then the word to the caches that it was made. */
async function applyStep(
  { pool, cache, pace, runtime }: ProjectorParts,
  generation: Generation,
  before: Checkpoints,
  batch: readonly Prepared[],
  watermarks: readonly Watermark[],
): Promise<Checkpoints> {
  if (batch.length === 0 && watermarks.length === 0) return before;
  const projection = generation.projection.name;
  await pace?.();
  const batchEnded = projectorMetrics.batchSeconds.startTimer({ projection });
  const events = batch.map(({ event }) => event);
  const checkpoints = await inSpan(
    'projection batch',
    { 'projection.name': projection, 'projection.events': batch.length },
    () =>
      withClient(pool, (client) => applyBatch(client, generation, before, batch, watermarks, { requireLive: true })),
    { traceparents: traceparentsOf(events) },
  );
  const moved = allSlots.filter((slot) => checkpoints[slot] !== before[slot]);
  await publish(cache, generation, checkpoints, moved, events);
  batchEnded();
  projectorMetrics.events.inc({ projection }, batch.length);
  const oldest = events[0]?.metadata.recordedAt;
  if (oldest)
    projectorMetrics.delaySeconds.observe(
      { projection },
      Math.max(0, runtime.now().getTime() - Date.parse(oldest)) / 1000,
    );
  return checkpoints;
}

function noteCheckpoints(projection: string, checkpoints: Checkpoints): void {
  const newest = checkpoints.reduce<string | null>(
    (latest, { time }) => (time !== null && (latest === null || time > latest) ? time : latest),
    null,
  );
  if (newest) projectorMetrics.checkpointTime.set({ projection }, Date.parse(newest) / 1000);
}

async function othersApplied(
  pool: Pool,
  generation: Generation,
  from: Checkpoints,
  gaps: readonly { readonly slot: number }[],
): Promise<boolean> {
  const stored = await withClient(pool, (client) => loadCheckpoints(client, generation));
  return gaps.some(({ slot }) => stored[slot]?.position !== from[slot]?.position);
}

async function publish(
  cache: Cache,
  generation: Generation,
  checkpoints: Checkpoints,
  slots: readonly number[],
  /** What was applied; null at the beginning. */
  events: readonly RecordedEvent[] | null,
): Promise<void> {
  await cache.publish({
    projection: generation.projection.name,
    generation: generation.number,
    assigned: events === null,
    tenants: new Map((events ?? []).map((event) => [event.metadata.tenant, event.position])),
    slots: new Map(slots.map((slot) => [slot, checkpoints[slot]?.position as string])),
  });
}
