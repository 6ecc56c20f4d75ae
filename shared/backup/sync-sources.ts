/**
 * What the log tells of the sources of sync runs, for the table `command.sync_leases`: the epoch that was given last,
 * the run that is still open, and the watermark of completed runs. Made from exactly the events that are restored, so
 * that an import which was cut goes on, and no record counts as old news because of a run that the log lacks.
 */
import type { ClientBase } from 'pg';
import type { StoredEvent } from '#shared/events/event.ts';
import { categoryOf, entityIdOf } from '#shared/events/stream-name.ts';

export interface SyncSource {
  readonly tenant: string;
  readonly source: string;
  readonly epoch: number;
  /** Begun last; null where it has ended. */
  readonly run: string | null;
  readonly watermark: string | null;
}

export interface SyncSources {
  add(event: StoredEvent): void;
  all(): SyncSource[];
}

export function syncSources(): SyncSources {
  const sources = new Map<string, SyncSource>();
  /** Runs that have not ended, and the key of their source. */
  const open = new Map<string, string>();
  return {
    add(event) {
      if (categoryOf(event.stream) !== 'syncrun') return;
      const { tenant } = event.metadata;
      const run = entityIdOf(event.stream);
      if (event.type === 'SyncStarted') {
        const { source, epoch } = event.data;
        const key = JSON.stringify([tenant, source]);
        const before = sources.get(key);
        if (before && before.epoch >= epoch) return;
        sources.set(key, { tenant, source, epoch, run, watermark: before?.watermark ?? null });
        open.set(run, key);
        return;
      }
      if (event.type !== 'SyncCompleted' && event.type !== 'SyncFailed' && event.type !== 'SyncCancelled') return;
      const before = sources.get(open.get(run) ?? '');
      open.delete(run);
      if (!before) return;
      const seen = event.type === 'SyncCompleted' ? event.data.watermark : null;
      sources.set(JSON.stringify([tenant, before.source]), {
        ...before,
        run: before.run === run ? null : before.run,
        watermark: seen !== null && (before.watermark === null || seen > before.watermark) ? seen : before.watermark,
      });
    },
    all: () => [...sources.values()],
  };
}

/** Leases are the log's word alone afterwards; only an epoch that was given already is not given again. */
export async function restoreSyncSources(client: ClientBase, sources: readonly SyncSource[]): Promise<void> {
  await client.query('update command.sync_leases set run = null, holder = null, expires_at = null, watermark = null');
  await client.query(
    `insert into command.sync_leases as l (tenant, source, epoch, run, watermark)
     select * from unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::text[])
     on conflict (tenant, source) do update
       set epoch = greatest(l.epoch, excluded.epoch), run = excluded.run, watermark = excluded.watermark`,
    [
      sources.map(({ tenant }) => tenant),
      sources.map(({ source }) => source),
      sources.map(({ epoch }) => epoch),
      sources.map(({ run }) => run),
      sources.map(({ watermark }) => watermark),
    ],
  );
}
