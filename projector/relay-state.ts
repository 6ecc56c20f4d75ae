/**
 * The relay's lease and checkpoint. An epoch is given with each lease; the checkpoint moves only under the epoch that
 * holds it, so a leader that was replaced without noticing can repeat records, but never move the checkpoint.
 */
import type { ClientBase, Pool } from 'pg';
import type { Position } from '#shared/event-log/position.ts';
import type { SentProgress } from '#shared/transport/lag.ts';
import { allSlots } from '#shared/transport/slot.ts';

export interface RelayState {
  readonly epoch: number;
  readonly position: Position | null;
  readonly time: string | null;
  /** By slot: its last event that was sent. Empty before the first checkpoint. */
  readonly previous: readonly Position[];
  /** By slot: how many of its events were sent. */
  readonly ordinals: readonly number[];
}

/** A leader that stopped renewing is replaced after this. */
export const relayLeaseSeconds = 6;

/** Null: another one leads. */
export async function acquireRelay(pool: Pool, owner: string): Promise<RelayState | null> {
  const answer = await pool.query<{
    epoch: string;
    position: string | null;
    time: Date | null;
    previous: string[];
    ordinals: string[];
  }>(
    `insert into projector.relay as r (id, owner, epoch, expires_at)
     values (1, $1, 1, now() + make_interval(secs => $2))
     on conflict (id) do update
       set owner = excluded.owner, epoch = r.epoch + 1, expires_at = excluded.expires_at
       where r.owner is null or r.owner = excluded.owner or r.expires_at <= now()
     returning epoch, position, time, previous, ordinals`,
    [owner, relayLeaseSeconds],
  );
  const row = answer.rows[0];
  if (!row) return null;
  return {
    epoch: Number(row.epoch),
    position: row.position,
    time: row.time?.toISOString() ?? null,
    previous: row.previous,
    ordinals: row.ordinals.map(Number),
  };
}

/** What a relay has sent, as last stored; null where none ever did. */
export async function readSent(client: ClientBase): Promise<SentProgress | null> {
  const answer = await client.query<{ position: string; previous: string[]; ordinals: string[] }>(
    'select position, previous, ordinals from projector.relay where id = 1 and position is not null',
  );
  const row = answer.rows[0];
  return row ? { position: row.position, previous: row.previous, ordinals: row.ordinals.map(Number) } : null;
}

/** False: the lease was lost. */
export async function renewRelay(pool: Pool, owner: string, epoch: number): Promise<boolean> {
  const answer = await pool.query(
    `update projector.relay set expires_at = now() + make_interval(secs => $3)
     where id = 1 and owner = $1 and epoch = $2 and expires_at > now()`,
    [owner, epoch, relayLeaseSeconds],
  );
  return answer.rowCount === 1;
}

/** Moves the checkpoint after everything up to it was acknowledged. False: another epoch leads. */
export async function moveRelay(pool: Pool, state: RelayState): Promise<boolean> {
  const answer = await pool.query(
    'update projector.relay set position = $2, time = $3, previous = $4, ordinals = $5 where id = 1 and epoch = $1',
    [state.epoch, state.position, state.time, state.previous, state.ordinals],
  );
  return answer.rowCount === 1;
}

/** So that the next one need not wait. */
export async function releaseRelay(pool: Pool, owner: string, epoch: number): Promise<void> {
  await pool.query(
    'update projector.relay set owner = null, expires_at = null where id = 1 and owner = $1 and epoch = $2',
    [owner, epoch],
  );
}

/** Where a relay begins that never sent anything: the earliest checkpoint of the live views; all before is applied. */
export async function firstRelayPosition(pool: Pool): Promise<Position | null> {
  const answer = await pool.query<{ position: string | null }>(
    `select min(c.position) as position from projector.checkpoints c
       join projector.projections p on p.name = c.projection and p.live_generation = c.generation`,
  );
  return answer.rows[0]?.position ?? null;
}

export const evenly = (position: Position): Position[] => allSlots.map(() => position);
