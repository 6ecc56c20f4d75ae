/** A backup in a folder. For its owner only: it holds personal data, and the key that signs tokens. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type BackupStore, type StoredFile, StoreUnavailable } from '#shared/backup/store.ts';

/** A file that is being written, or was when something ended the process: a name of its own for each, so that two never share one. */
const unfinished = /^\.unfinished-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Whoever writes a file has done so long before; by the clock of this machine and that of the disk. */
const leftOverMilliseconds = 60 * 60_000;

export function folderStore(given: string): BackupStore {
  const folder = path.resolve(given);
  const fileOf = (name: string) => path.join(folder, ...name.split('/'));
  let tidied: Promise<void> | undefined;
  return {
    place: folder,

    list: () =>
      explained(folder, async () => {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(ifThere);
        const files: StoredFile[] = [];
        for (const entry of entries ?? []) {
          const file = path.join(entry.parentPath, entry.name);
          const name = path.relative(folder, file).split(path.sep).join('/');
          if (!entry.isDirectory() && !unfinished.test(name)) files.push({ name, bytes: (await stat(file)).size });
        }
        return files;
      }),

    read: (name) => explained(folder, () => readFile(fileOf(name)).catch(ifThere)),

    write: (name, bytes) =>
      explained(folder, async () => {
        const file = fileOf(name);
        await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        tidied ??= removeLeftOvers(folder);
        await tidied;
        const temporary = path.join(folder, `.unfinished-${randomUUID()}`);
        try {
          await writeDurably(temporary, bytes);
          await rename(temporary, file);
        } catch (error) {
          await rm(temporary, { force: true }).catch(() => undefined);
          throw error;
        }
        await syncFolder(path.dirname(file));
      }),

    remove: (name) => explained(folder, () => rm(fileOf(name), { force: true })),

    close: () => undefined,
  };
}

function ifThere(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What processes that were killed have left half written. */
async function removeLeftOvers(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => unfinished.test(each))) {
    const file = path.join(folder, name);
    const found = await stat(file).catch(ifThere);
    if (found && Date.now() - found.mtimeMs > leftOverMilliseconds) await rm(file, { force: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder to sync it, and needs not.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOTDIR: 'it is no folder',
  EACCES: 'this user has no right to it',
  EPERM: 'this user has no right to it',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
};

async function explained<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new StoreUnavailable(`The folder ${folder} cannot be used: ${reasons[code] ?? code}.`, { cause: error });
  }
}
