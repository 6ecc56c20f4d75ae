/**
 * One active sync run a tenant and source. The row gives each run its epoch, which only rises; while a part is being
 * received its process holds the lease and renews it, so that a killed client or process loses it within seconds.
 */
import type { Pool } from 'pg';

/** A process that stopped renewing has lost the lease after this. */
export const leaseSeconds = 10;

export interface Lease {
  readonly epoch: number;
  /** The run that was begun last; null where it has ended. */
  readonly run: string | null;
  /** Whether a part of it is being received right now. */
  readonly held: boolean;
  /** Of completed full and incremental runs. */
  readonly watermark: string | null;
}

export async function readLease(pool: Pool, tenant: string, source: string): Promise<Lease | null> {
  const answer = await pool.query<{ epoch: string; run: string | null; held: boolean; watermark: string | null }>(
    `select epoch, run, coalesce(expires_at > now(), false) as held, watermark
     from command.sync_leases where tenant = $1 and source = $2`,
    [tenant, source],
  );
  const row = answer.rows[0];
  return row ? { ...row, epoch: Number(row.epoch) } : null;
}

/**
 * Gives the run the next epoch, unless another run was begun since `seen` was read or its lease is held. A row that is
 * missing (a restored log) starts from `past`: what the log itself tells. The run itself holds the lease until it is
 * recorded: else one that is begun at the same moment would not find it in the log, and leave it running for ever.
 */
export async function beginRun(
  pool: Pool,
  tenant: string,
  source: string,
  run: string,
  seen: Lease | null,
  past: { readonly epoch: number; readonly watermark: string | null },
): Promise<number | null> {
  const answer = await pool.query<{ epoch: string }>(
    `insert into command.sync_leases as l (tenant, source, epoch, run, watermark, holder, expires_at)
     values ($1, $2, $3, $4, $5, $4, now() + make_interval(secs => $7))
     on conflict (tenant, source) do update
       set epoch = greatest(l.epoch, excluded.epoch - 1) + 1, run = excluded.run,
           holder = excluded.holder, expires_at = excluded.expires_at
       where l.epoch = $6 and (coalesce(l.expires_at <= now(), true) or l.holder = excluded.run)
     returning epoch`,
    [tenant, source, past.epoch + 1, run, past.watermark, seen?.epoch ?? -1, leaseSeconds],
  );
  return answer.rows[0] ? Number(answer.rows[0].epoch) : null;
}

/** Takes or renews the lease of a run. False: another run was begun, or another process receives a part of this one. */
export async function holdLease(
  pool: Pool,
  tenant: string,
  source: string,
  run: string,
  holder: string,
): Promise<boolean> {
  const answer = await pool.query(
    `update command.sync_leases set holder = $4, expires_at = now() + make_interval(secs => $5)
     where tenant = $1 and source = $2 and run = $3 and (holder is null or holder = $4 or expires_at <= now())`,
    [tenant, source, run, holder, leaseSeconds],
  );
  return answer.rowCount === 1;
}

export async function releaseLease(
  pool: Pool,
  tenant: string,
  source: string,
  run: string,
  holder: string,
): Promise<void> {
  await pool.query(
    'update command.sync_leases set holder = null, expires_at = null where tenant = $1 and source = $2 and run = $3 and holder = $4',
    [tenant, source, run, holder],
  );
}

/** The run has ended; its watermark, where it has one, only raises the source's. */
export async function endRun(
  pool: Pool,
  tenant: string,
  source: string,
  run: string,
  watermark: string | null,
): Promise<void> {
  await pool.query(
    `update command.sync_leases
     set run = null, holder = null, expires_at = null, watermark = greatest(watermark, $4)
     where tenant = $1 and source = $2 and run = $3`,
    [tenant, source, run, watermark],
  );
}

/** On one machine, where no other process can hold a lease: what a killed process held is free at once. */
export async function releaseAllLeases(pool: Pool): Promise<void> {
  await pool.query('update command.sync_leases set holder = null, expires_at = null where holder is not null');
}
