/** The key of a data folder that a backup holds: the issuer's private one, with which this installation signs tokens. The public one follows from it. */
import { readFile } from 'node:fs/promises';
import { issuerFiles, placeLocalIssuer } from '#shared/access/local-issuer.ts';
import { digestOf, hexOf } from '#shared/backup/digest.ts';
import type { Manifest } from '#shared/backup/manifest.ts';
import { readWhole } from '#shared/backup/parts.ts';
import type { BackupStore } from '#shared/backup/store.ts';

type Keys = Manifest['keys'];

const privateKeyOf = (dataDir: string): Promise<Buffer | null> =>
  readFile(issuerFiles(dataDir).privateKey).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });

/** None where the folder has none: tokens are signed elsewhere. */
export async function writeKeys(store: BackupStore, dataDir: string): Promise<Keys> {
  const key = await privateKeyOf(dataDir);
  if (key === null) return [];
  const digest = digestOf(key);
  const name = `keys/${hexOf(digest)}-private-key.pem`;
  await store.write(name, key);
  return [{ name, bytes: key.length, digest }];
}

export type RestoredKeys = 'none' | 'restored' | 'the same' | 'others were there';

/** A key that a data folder has is never replaced. */
export async function restoreKeys(store: BackupStore, [key]: Keys, dataDir: string): Promise<RestoredKeys> {
  if (key === undefined) return 'none';
  const backedUp = await readWhole(store, key);
  const there = await privateKeyOf(dataDir);
  if (there !== null) return there.equals(backedUp) ? 'the same' : 'others were there';
  await placeLocalIssuer(dataDir, backedUp);
  return 'restored';
}
