/** Up to where a generation has applied each slot. Moved only by compare-and-set, in the transaction of the rows. */
import type { ClientBase } from 'pg';
import type { Generation } from '#projector/generations.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { logIdOf, type Position } from '#shared/event-log/position.ts';

export interface Checkpoint {
  readonly position: Position;
  /** Greatest recordedAt that was seen up to the position; null before the first event. */
  readonly time: string | null;
  /** The last event applied; null before the first. */
  readonly eventId: string | null;
  readonly eventPosition: Position | null;
  /** The transport's count of the slot's events up to that one; null where no transport that counts has told it. */
  readonly ordinal: number | null;
}

/** By slot. */
export type Checkpoints = readonly Checkpoint[];

export async function loadCheckpoints(client: ClientBase, generation: Generation): Promise<Checkpoints> {
  const answer = await client.query<{
    position: string;
    time: Date | null;
    event_id: string | null;
    event_position: string | null;
    ordinal: string | null;
  }>(
    `select position, time, event_id, event_position, ordinal from projector.checkpoints
     where projection = $1 and generation = $2 order by slot`,
    [generation.projection.name, generation.number],
  );
  return answer.rows.map((row) => ({
    position: row.position,
    time: row.time?.toISOString() ?? null,
    eventId: row.event_id,
    eventPosition: row.event_position,
    ordinal: row.ordinal === null ? null : Number(row.ordinal),
  }));
}

/** Moves the given slots from what this owner last saw. False: somebody else moved one; the caller rolls back. */
export async function moveCheckpoints(
  client: ClientBase,
  generation: Generation,
  from: Checkpoints,
  to: ReadonlyMap<number, Checkpoint>,
): Promise<boolean> {
  const slots = [...to.keys()];
  const next = [...to.values()];
  const answer = await client.query(
    `update projector.checkpoints c
     set position = v.position, time = v.time, event_id = v.event_id, event_position = v.event_position, ordinal = v.ordinal
     from unnest($3::smallint[], $4::text[], $5::text[], $6::timestamptz[], $7::uuid[], $8::text[], $9::bigint[])
       as v (slot, expected, position, time, event_id, event_position, ordinal)
     where c.projection = $1 and c.generation = $2 and c.slot = v.slot and c.position = v.expected`,
    [
      generation.projection.name,
      generation.number,
      slots,
      slots.map((slot) => from[slot]?.position),
      next.map((checkpoint) => checkpoint.position),
      next.map((checkpoint) => checkpoint.time),
      next.map((checkpoint) => checkpoint.eventId),
      next.map((checkpoint) => checkpoint.eventPosition),
      next.map((checkpoint) => checkpoint.ordinal),
    ],
  );
  return answer.rowCount === slots.length;
}

/** The log is not the one that these read models were built from. */
export class LogExchanged extends Error {
  override readonly name = 'LogExchanged';
}

/** Reads the last applied event of each slot again from the log; another one there means another log. */
export async function verifyCheckpoints(log: EventLog, projection: string, checkpoints: Checkpoints): Promise<void> {
  const advice = `The event log was restored or exchanged since the projection "${projection}" was built. Rebuild the views: npx cool-mint rebuild all`;
  const head = await log.head();
  for (const { position, eventId, eventPosition } of checkpoints) {
    if (logIdOf(position) !== log.id)
      throw new LogExchanged(`${advice} (its checkpoint is of log ${logIdOf(position)}, this is log ${log.id})`);
    // A backup may hold the last event that was applied, and end before the checkpoint all the same: in a log that is
    // shared, checkpoints move over the events of others. What is recorded now would lie before them.
    if (position > head) throw new LogExchanged(`${advice} (its checkpoint lies behind the end of the log)`);
    if (eventPosition === null) continue;
    const event = await log.readAt(eventPosition);
    if (event?.id !== eventId)
      throw new LogExchanged(`${advice} (at ${eventPosition} there is another event than it applied)`);
  }
}
