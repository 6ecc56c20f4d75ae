/**
 * Reads a backup whole: every file against its digest, the parts of the log against each other and against the
 * manifest. What it answers is what a restore up to the same point would bring.
 */
import { type BackedUpLog, readNext } from '#shared/backup/log-parts.ts';
import { type Manifest, manifestName, manifestText, parseManifest } from '#shared/backup/manifest.ts';
import { readWhole } from '#shared/backup/parts.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import { type SyncSource, type SyncSources, syncSources } from '#shared/backup/sync-sources.ts';
import { verifyTable } from '#shared/backup/table-rows.ts';
import { logDigest } from '#shared/event-log/copy-log-digest.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { decodeEvent, UndecodableEvent } from '#shared/events/codec.ts';
import { slotOf } from '#shared/transport/slot.ts';

/** Up to a time, by the greatest recordedAt so far, or up to a position of the log that was backed up; both included. */
export type Until = { readonly time: string } | { readonly position: Position };

export interface VerifyOptions {
  readonly store: BackupStore;
  readonly until: Until | null;
  readonly signal: AbortSignal;
  /** Events read, and how far it is, from 0 to 1. */
  readonly onProgress: (events: number, fraction: number) => void;
}

export interface VerifiedBackup {
  readonly content: Manifest;
  /** Up to the point that was asked for. */
  readonly events: number;
  /** Of the last of them, in the log that was backed up; its start where there is none. */
  readonly position: Position;
  /** The greatest recordedAt of them. */
  readonly time: string | null;
  /** Whether events after it are left out. */
  readonly cut: boolean;
  /** As `cool-mint log verify` computes it. */
  readonly digest: string;
  readonly sources: readonly SyncSource[];
}

/** Throws BackupRefused where there is none. */
export async function readManifest(store: BackupStore): Promise<Manifest> {
  const bytes = await store.read(manifestName);
  if (bytes !== null) return parseManifest(bytes);
  throw new BackupRefused(
    (await store.list()).length === 0
      ? `There is no backup in ${store.place}: it is empty.`
      : `There is no complete backup in ${store.place}: ${manifestName}, which is written last, is not there.`,
  );
}

/**
 * Work with the files of a backup. A newer backup to the same place may have taken one away meanwhile: that is no damage,
 * and is told as what it is.
 */
export async function unlessNewer<T>(store: BackupStore, content: Manifest, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackupRefused)) throw error;
    const now = await store.read(manifestName);
    if (now === null || now.equals(Buffer.from(manifestText(content)))) throw error;
    throw new BackupRefused(
      `A newer backup was made to ${store.place} while this one was read, and has taken its place. Run the same command again.`,
      { cause: error },
    );
  }
}

/** Each event is decoded, so that nothing is restored which this version could not read. */
function addTo(sources: SyncSources, event: RecordedEvent, { version }: Manifest): void {
  try {
    sources.add(decodeEvent(event));
  } catch (error) {
    if (!(error instanceof UndecodableEvent)) throw error;
    throw new BackupRefused(
      `The backup has events that this version of Cool Mint does not know (${error.message}). It was made by version ${version}: restore with that one.`,
    );
  }
}

/** Throws BackupRefused, which names the file, where anything is missing or not as it was written. */
export async function verifyBackup(options: VerifyOptions): Promise<VerifiedBackup> {
  const content = await readManifest(options.store);
  return unlessNewer(options.store, content, () => verifyFiles(options, content));
}

async function verifyFiles(
  { store, until, signal, onProgress }: VerifyOptions,
  content: Manifest,
): Promise<VerifiedBackup> {
  const { log, tables, keys } = content;
  if (until !== null && 'position' in until && !until.position.startsWith(`${log.id}-`))
    throw new BackupRefused(`${until.position} is no position of the log that was backed up (${log.id}).`);
  // First what the next backup takes away; of the log it takes the last part only.
  for (const table of tables) await verifyTable(store, table, signal);
  for (const key of keys) await readWhole(store, key);
  const digest = logDigest();
  const sources = syncSources();
  let end = { events: 0, position: log.start, time: null as string | null };
  let time = '';
  let cut = false;
  let read: BackedUpLog = { ...log, position: log.start, events: 0, lastEvent: null, parts: [] };
  for (const named of log.parts) {
    signal.throwIfAborted();
    const [next, { events }] = await readNext(store, named, read);
    read = next;
    for (const event of events) {
      if (event.metadata.recordedAt > time) time = event.metadata.recordedAt;
      cut ||= until !== null && ('time' in until ? time > until.time : event.position > until.position);
      if (cut) continue;
      end = { events: end.events + 1, position: event.position, time };
      digest.add(slotOf(event.metadata.tenant), event);
      addTo(sources, event, content);
    }
    onProgress(read.events, read.events / Math.max(1, log.events));
  }
  if (JSON.stringify({ ...read, position: log.position }) !== JSON.stringify(log))
    throw new BackupRefused(
      `${manifestName} does not agree with the parts of the log. Use another copy of the backup.`,
    );
  return { content, ...end, cut, digest: digest.ofAll(), sources: sources.all() };
}
