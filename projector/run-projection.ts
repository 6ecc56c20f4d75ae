/**
 * The loop of one projection: find the live generation, go on from its checkpoints, apply what is delivered, publish
 * how far it is. Whatever fails, it begins again from the checkpoints in the database after a back-off.
 *
 * States: starting (nothing was received yet), running (events are applied), standing (the live generation was made by another version; a rebuild is under
 * way), failing (the last attempt ended with an error; it is shown, and tried again).
 */

import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { applyBatch, CheckpointMoved, cut, GenerationMoved, prepare, readGap, sortDelivery } from '#projector/apply.ts';
import { type Checkpoints, loadCheckpoints, verifyCheckpoints } from '#projector/checkpoints.ts';
import { ensureLiveGeneration, type Generation, generationOf } from '#projector/generations.ts';
import { projectorMetrics } from '#projector/metrics.ts';
import type { Projection } from '#projector/projection.ts';
import type { Cache } from '#shared/cache/cache.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { inSpan } from '#shared/telemetry/span.ts';
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
  try {
    const positions = checkpoints.map((checkpoint) => checkpoint.position);
    for await (const delivery of transport.deliver(projection.name, positions, ended)) {
      status.tickedAt = runtime.now().getTime();
      status.waitingFor = delivery.waitingFor ?? null;
      if (status.waitingFor === null) {
        status.state = 'running';
        status.error = null;
      }
      const before = checkpoints;
      for (let applied = false; !applied; ) {
        try {
          checkpoints = await applyDelivery(parts, generation, checkpoints, delivery);
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

async function applyDelivery(
  parts: ProjectorParts,
  generation: Generation,
  from: Checkpoints,
  delivery: Delivery,
): Promise<Checkpoints> {
  const { pool, log, cache, pace } = parts;
  const projection = generation.projection;
  const labels = { projection: projection.name };
  const sorted = sortDelivery(from, delivery);
  // What looks missing may have been applied by another process that had the slot before.
  if (sorted.gaps.length > 0 && (await othersApplied(pool, generation, from, sorted.gaps))) throw new CheckpointMoved();
  if (sorted.duplicates > 0) projectorMetrics.duplicates.inc(labels, sorted.duplicates);
  let events = sorted.apply;
  for (const gap of sorted.gaps) {
    const missing = await readGap(log, gap);
    projectorMetrics.gaps.inc(labels);
    parts.logger.warn(
      { ...labels, slot: gap.slot, events: missing.length },
      'events did not arrive; they were read from the log',
    );
    events = [...events, ...missing].sort((a, b) => (a.event.position < b.event.position ? -1 : 1));
  }
  let checkpoints = from;
  const step = async (batch: ReturnType<typeof prepare>, watermark: Watermark | null) => {
    await pace?.();
    const before = checkpoints;
    const batchEnded = projectorMetrics.batchSeconds.startTimer(labels);
    checkpoints = await inSpan(
      'projection batch',
      { 'projection.name': projection.name, 'projection.events': batch.length },
      () =>
        withClient(pool, (client) => applyBatch(client, generation, before, batch, watermark, { requireLive: true })),
      batch.map(({ event }) => event),
    );
    const moved = allSlots.filter((slot) => checkpoints[slot] !== before[slot]);
    await publish(
      cache,
      generation,
      checkpoints,
      moved,
      batch.map((one) => one.event),
    );
    batchEnded();
    projectorMetrics.events.inc(labels, batch.length);
    const oldest = batch[0]?.event.metadata.recordedAt;
    if (oldest)
      projectorMetrics.delaySeconds.observe(
        labels,
        Math.max(0, parts.runtime.now().getTime() - Date.parse(oldest)) / 1000,
      );
  };
  for (const batch of cut(prepare(projection, events))) await step([...batch], null);
  if (delivery.watermark) await step([], delivery.watermark);
  const newest = checkpoints.reduce<string | null>(
    (latest, { time }) => (time !== null && (latest === null || time > latest) ? time : latest),
    null,
  );
  if (newest) projectorMetrics.checkpointTime.set(labels, Date.parse(newest) / 1000);
  return checkpoints;
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
