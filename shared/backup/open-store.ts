/** The store that a person names: a folder, or `s3://bucket/prefix`. */
import { folderStore } from '#shared/backup/folder-store.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { s3Config } from '#shared/backup/s3/config.ts';
import type { BackupStore } from '#shared/backup/store.ts';

const s3Place = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** The signal ends whatever the store waits for. Throws BackupRefused or a SetupError where the name or a setting is none. */
export async function openStore(place: string, signal: AbortSignal): Promise<BackupStore> {
  const named = s3Place.exec(place);
  if (named) {
    const config = s3Config();
    // Only here: it takes a third of a second to load.
    const { s3Store } = await import('#shared/backup/s3/s3-store.ts');
    return s3Store(config, { bucket: named[1] as string, prefix: (named[2] ?? '').replace(/^\/+|\/+$/g, ''), signal });
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(place))
    throw new BackupRefused(`"${place}" is no place for a backup. Give a folder, or s3://bucket/prefix.`);
  return folderStore(place);
}
