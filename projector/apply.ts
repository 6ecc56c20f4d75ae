/**
 * Applies delivered events to one generation, exactly once: checkpoints (compare-and-set) and rows change in one
 * transaction. Per event: position ≤ checkpoint → duplicate, dropped; previous ≤ checkpoint → applied; otherwise
 * something is missing between, and the missing range is to be read from the log.
 */
import type { ClientBase } from 'pg';
import { type Checkpoint, type Checkpoints, moveCheckpoints } from '#projector/checkpoints.ts';
import { type Generation, liveGeneration, lockProjection } from '#projector/generations.ts';
import type { Projection } from '#projector/projection.ts';
import type { Change } from '#projector/table.ts';
import { loadTouched, writeFolded } from '#projector/write-changes.ts';
import type { Position } from '#shared/event-log/position.ts';
import { decodeEvent } from '#shared/events/codec.ts';
import type { DeliveredEvent, Delivery, Watermark } from '#shared/transport/transport.ts';

/** A transaction is cut at about so many row changes, whatever the size of the delivered batch. */
const changesPerTransaction = 5_000;

/** Somebody else moved a checkpoint: they are to be loaded again. */
export class CheckpointMoved extends Error {
  override readonly name = 'CheckpointMoved';
}

/** Another generation is live now. */
export class GenerationMoved extends Error {
  override readonly name = 'GenerationMoved';
}

/** A fold could not take an event: a bug of ours, or an event of a newer version. */
export class FoldFailed extends Error {
  override readonly name = 'FoldFailed';
}

export interface Prepared extends Pick<DeliveredEvent, 'event' | 'slot' | 'ordinal'> {
  readonly changes: readonly Change[];
}

export interface Sorted {
  readonly apply: readonly DeliveredEvent[];
  readonly duplicates: number;
  /** Events between these positions (the first not, the second included) of the slot did not arrive. */
  readonly gaps: readonly { readonly slot: number; readonly after: Position; readonly upTo: Position }[];
}

/** Sorts delivered events and watermarks by what the checkpoints say. Pure. */
export function sortDelivery(checkpoints: Checkpoints, delivery: Delivery): Sorted {
  const reached = checkpoints.map((checkpoint) => checkpoint.position);
  const apply: DeliveredEvent[] = [];
  const gaps: { slot: number; after: Position; upTo: Position }[] = [];
  let duplicates = 0;
  for (const delivered of delivery.events) {
    const { slot, previous, event } = delivered;
    const at = reached[slot] as Position;
    if (event.position <= at) {
      duplicates++;
      continue;
    }
    // The missing range is read up to and with this event, so it is not applied from the delivery.
    if (previous > at) gaps.push({ slot, after: at, upTo: event.position });
    else apply.push(delivered);
    reached[slot] = event.position;
  }
  for (const watermark of delivery.watermarks)
    for (const [slot, previous] of watermark.previous) {
      const at = reached[slot] as Position;
      if (previous <= at) continue;
      gaps.push({ slot, after: at, upTo: previous });
      reached[slot] = previous;
    }
  return { apply, duplicates, gaps };
}

/** Decodes and asks the folds which rows are touched; names the event that a fold cannot take. */
export function prepare(projection: Projection, delivered: readonly DeliveredEvent[]): Prepared[] {
  return delivered.map(({ event, slot, ordinal }) => {
    try {
      const decoded = decodeEvent(event);
      return { event, slot, ordinal, changes: projection.folds.flatMap((fold) => fold.changes(decoded)) };
    } catch (error) {
      throw new FoldFailed(
        `${projection.name} cannot take ${event.type} ${event.id} (${event.stream}, revision ${event.revision}): ${(error as Error).message}`,
        { cause: error },
      );
    }
  });
}

/** Cuts prepared events into transactions. Every event stays whole. */
export function* cut(prepared: readonly Prepared[]): Generator<readonly Prepared[]> {
  let batch: Prepared[] = [];
  let changes = 0;
  for (const one of prepared) {
    if (batch.length > 0 && changes + one.changes.length > changesPerTransaction) {
      yield batch;
      batch = [];
      changes = 0;
    }
    batch.push(one);
    changes += one.changes.length;
  }
  if (batch.length > 0) yield batch;
}

const laterTime = (a: string | null, b: string | null) => (a !== null && (b === null || a > b) ? a : b);

/** What follows an event whose count is known was counted one higher, also where it was read from the log. */
const ordinalAfter = (before: number | null, told: number | null) => told ?? (before === null ? null : before + 1);

/** Where the checkpoints stand after these events and then these watermarks. */
export function checkpointsAfter(
  from: Checkpoints,
  batch: readonly Prepared[],
  watermarks: readonly Watermark[],
): Map<number, Checkpoint> {
  const to = new Map<number, Checkpoint>();
  for (const { event, slot, ordinal } of batch) {
    const before = to.get(slot) ?? (from[slot] as Checkpoint);
    to.set(slot, {
      position: event.position,
      time: laterTime(before.time, event.metadata.recordedAt),
      eventId: event.id,
      eventPosition: event.position,
      ordinal: ordinalAfter(before.ordinal, ordinal),
    });
  }
  for (const watermark of watermarks)
    for (const slot of watermark.previous.keys()) {
      const before = to.get(slot) ?? (from[slot] as Checkpoint);
      if (watermark.position > before.position)
        to.set(slot, { ...before, position: watermark.position, time: laterTime(before.time, watermark.time) });
    }
  return to;
}

/**
 * One transaction: lock, generation, checkpoints, rows; in two round trips. `requireLive`: refuse where the generation is
 * not the live one (a rebuild feeds one that is not). Throws CheckpointMoved or GenerationMoved after rolling back.
 *
 * It is not waited for that Postgres has it on disk: after a crash of Postgres rows and checkpoints are both as they were
 * a moment before, and go on from there (docs/decisions/0014).
 */
export async function applyBatch(
  client: ClientBase,
  generation: Generation,
  from: Checkpoints,
  batch: readonly Prepared[],
  watermarks: readonly Watermark[],
  options: { readonly requireLive: boolean },
): Promise<Checkpoints> {
  const to = checkpointsAfter(from, batch, watermarks);
  if (to.size === 0) return from;
  try {
    // Sent at once, and carried out in this order.
    const [, , , live, step] = await Promise.all([
      client.query('begin'),
      client.query('set local synchronous_commit = off'),
      lockProjection(client, generation.projection.name, 'shared'),
      options.requireLive ? liveGeneration(client, generation.projection.name) : null,
      beginStep(client, generation, from, to, batch),
    ]);
    if (options.requireLive && live?.generation !== generation.number) throw new GenerationMoved();
    await Promise.all([endStep(client, generation, step), client.query('commit')]);
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
  return from.map((checkpoint, slot) => to.get(slot) ?? checkpoint);
}

/** The part of applyBatch inside its transaction; a swap calls it under its own lock. Throws CheckpointMoved. */
export async function applyInTransaction(
  client: ClientBase,
  generation: Generation,
  from: Checkpoints,
  to: ReadonlyMap<number, Checkpoint>,
  batch: readonly Prepared[],
): Promise<void> {
  await endStep(client, generation, await beginStep(client, generation, from, to, batch));
}

const beginStep = (
  client: ClientBase,
  { projection, number, schema }: Generation,
  from: Checkpoints,
  to: ReadonlyMap<number, Checkpoint>,
  batch: readonly Prepared[],
) =>
  Promise.all([
    moveCheckpoints(client, { projection, number, schema }, from, to),
    loadTouched(
      client,
      schema,
      batch.flatMap((one) => one.changes),
    ),
  ]);

function endStep(
  client: ClientBase,
  { schema }: Generation,
  [moved, loaded]: Awaited<ReturnType<typeof beginStep>>,
): Promise<unknown> {
  if (!moved) throw new CheckpointMoved();
  return writeFolded(client, schema, loaded);
}
