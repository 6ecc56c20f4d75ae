/**
 * One process at a time builds a generation: the others would only get into its way. The lease saves work, the
 * checkpoints' compare-and-set keeps two that build for a moment from doing harm.
 */
import type { Pool } from 'pg';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** A builder that stopped renewing is replaced after this. */
const leaseSeconds = 4;

/** Does the work under the lease; its signal is aborted where the lease is lost. False: another process has it. */
export async function underRebuildLease(
  { pool, runtime }: { readonly pool: Pool; readonly runtime: Runtime },
  projection: string,
  owner: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const take = async () => {
    const answer = await pool.query(
      `insert into projector.rebuild_leases as l (projection, owner, expires_at)
       values ($1, $2, now() + make_interval(secs => $3))
       on conflict (projection) do update set owner = excluded.owner, expires_at = excluded.expires_at
         where l.owner = excluded.owner or l.expires_at <= now()`,
      [projection, owner, leaseSeconds],
    );
    return answer.rowCount === 1;
  };
  if (!(await take())) return false;
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const renewing = (async () => {
    while (!stop.aborted) {
      await runtime.sleep((leaseSeconds * 1000) / 4, stop);
      if (!stop.aborted && !(await take().catch(() => false))) ended.abort();
    }
  })();
  try {
    await work(stop);
    return true;
  } finally {
    ended.abort();
    await renewing;
    await pool
      .query('delete from projector.rebuild_leases where projection = $1 and owner = $2', [projection, owner])
      .catch(() => undefined);
  }
}
