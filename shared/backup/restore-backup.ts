/**
 * Restores a backup into an empty installation.
 *
 * 1. Verify all of it. Nothing is written before that.
 * 2. Copy the log, as any log is copied (copy-log.ts): the target must be empty or a beginning of what is restored, which
 *    is what a restore that was cut leaves; at the end both are compared by count and digest.
 *    Before the first event is written, a mark is made with which nothing starts (restore-mark.ts), and the keys are put
 *    where the data folder has none: nobody makes others in between.
 * 3. In one transaction, what is not in the log, and the mark goes. Where any of the tables has rows already, all are
 *    left as they are: they are newer, and what was erased from them must not come back.
 *
 * The restored log has its own id, so positions of the old one fit nowhere, and views of the old one are noticed.
 */
import type { Client } from 'pg';
import { backupLog } from '#shared/backup/backup-log.ts';
import { type RestoredKeys, restoreKeys } from '#shared/backup/keys.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { markRestore, unmarkRestore } from '#shared/backup/restore-mark.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import { restoreSyncSources } from '#shared/backup/sync-sources.ts';
import { anyRows, checkTables, restoreTables } from '#shared/backup/table-rows.ts';
import { type Until, unlessNewer, type VerifiedBackup, verifyBackup } from '#shared/backup/verify-backup.ts';
import { copyLog } from '#shared/event-log/copy-log.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';

export interface RestoreProgress {
  readonly phase: 'reading' | 'comparing' | 'copying' | 'verifying';
  readonly events: number;
  readonly fraction: number;
}

export interface RestoreOptions {
  readonly store: BackupStore;
  readonly until: Until | null;
  readonly log: EventLog;
  /** A session of its own on the migrated database of the installation. */
  readonly client: Client;
  readonly dataDir: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RestoreProgress) => void;
}

export interface RestoreResult extends Pick<VerifiedBackup, 'content' | 'events' | 'time' | 'cut' | 'digest'> {
  /** Events that a restore which was cut had brought. */
  readonly before: number;
  /** Of tables that are not in the log; null where the tables had rows, which were kept. */
  readonly rows: number | null;
  readonly keys: RestoredKeys;
  /** Whether there are views of another log, which have to be rebuilt. */
  readonly staleViews: boolean;
}

/**
 * Throws BackupRefused where the backup is damaged or does not fit; LogsDiffer where the log holds anything else; what
 * copyLog throws.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { store, until, log, client, dataDir, signal, onProgress } = options;
  const verified = await verifyBackup({
    store,
    until,
    signal,
    onProgress: (events, fraction) => onProgress({ phase: 'reading', events, fraction }),
  });
  const { content, position, events, time, cut, digest } = verified;
  if (content.log.id === log.id)
    throw new BackupRefused(
      `This installation has the event log that was backed up (${log.id}). A restore needs an empty one: another database (DATABASE_URL, or DATA_DIR), or another EVENTSTORE_STREAM_PREFIX.`,
    );
  await checkTables(client, content);
  let begun: Promise<RestoredKeys> | undefined;
  const begin = () => {
    begun ??= markRestore(client, store.place).then(() =>
      unlessNewer(store, content, () => restoreKeys(store, content.keys, dataDir)),
    );
    return begun;
  };
  const target: EventLog = { ...log, append: (appends) => begin().then(() => log.append(appends)) };
  const source = backupLog(store, content, position);
  const { before } = await unlessNewer(store, content, () => copyLog({ source, target, signal, onProgress }));
  const keys = await begin();
  const rows = await restoreRows(client, store, verified, signal);
  return { content, events, time, cut, digest, before, rows, keys, staleViews: await hasViewsOfOthers(client, log.id) };
}

async function restoreRows(
  client: Client,
  store: BackupStore,
  { content, cut, time, sources }: VerifiedBackup,
  signal: AbortSignal,
): Promise<number | null> {
  await client.query('begin');
  try {
    const restored = () => restoreTables(client, store, content.tables, cut ? { time } : null, signal);
    const rows = (await anyRows(client)) ? null : await unlessNewer(store, content, restored);
    await restoreSyncSources(client, sources);
    await unmarkRestore(client);
    await client.query('commit');
    return rows;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function hasViewsOfOthers(client: Client, logId: string): Promise<boolean> {
  const answer = await client.query<{ any: boolean }>(
    'select exists (select from projector.checkpoints where left(position, 8) <> $1) as any',
    [logId],
  );
  return answer.rows[0]?.any === true;
}
