import { access, chown, constants, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SetupError } from '#shared/errors/setup-error.ts';

/** Where things lie in the data folder. */
export interface DataFolder {
  /** The folder itself, absolute and without symbolic links, so that it can be compared with what the system reports. */
  root: string;
  /** The cluster, complete from the moment on at which it exists. */
  cluster: string;
  password: string;
  log: string;
  lock: string;
}

// A name with this prefix belongs to a start that has not ended; whoever holds the folder's lock may delete it.
const unfinishedPrefix = 'postgres.unfinished-';

/** A path beside the cluster for work that is renamed into place when it is whole. */
export function unfinishedPath(folder: DataFolder, what: string): string {
  return join(folder.root, `${unfinishedPrefix}${what}-${process.pid}`);
}

/** Makes the folder if need be. A folder made here belongs to `owner`, the account that the server will run as. */
export async function openDataFolder(dataDir: string, owner: { uid: number; gid: number } | null): Promise<DataFolder> {
  try {
    const made = await mkdir(dataDir, { recursive: true });
    if (made !== undefined && owner) await chown(dataDir, owner.uid, owner.gid);
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const root = await realpath(dataDir);
    return {
      root,
      cluster: join(root, 'postgres'),
      password: join(root, 'postgres.password'),
      log: join(root, 'postgres.log'),
      lock: join(root, 'owner.lock'),
    };
  } catch (error) {
    // On a read-only disk Node's recursive mkdir says ENOENT.
    const readOnly = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw explainFileError(readOnly ? Object.assign(error as Error, { code: 'EROFS' }) : error, dataDir);
  }
}

/** Deletes what starts that were killed have left behind. */
export async function removeUnfinished(folder: DataFolder): Promise<void> {
  for (const name of await readdir(folder.root)) {
    // An initdb whose Node was killed may still be writing for a moment: hence the retries.
    if (name.startsWith(unfinishedPrefix)) {
      await rm(join(folder.root, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    }
  }
}

/** Renames into place so that neither a kill nor a power cut can leave half of it. */
export async function putInPlace(from: string, to: string, parent: string): Promise<void> {
  await rename(from, to);
  // Windows cannot open a folder to sync it, and needs not.
  if (process.platform === 'win32') return;
  const handle = await open(parent, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Turns the file system's refusals that a person can do something about into a SetupError; other errors pass as they are. */
export function explainFileError(error: unknown, dataDir: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new SetupError(
      `The data folder ${dataDir} cannot be written (${code}). Give this user the right to write there, or set DATA_DIR to a folder of your own.`,
      { cause: error },
    );
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return new SetupError(
      `The data folder ${dataDir} cannot be made because a file of that name is in the way. Move the file away, or set DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(dataDir, error);
  return error;
}

export function diskFull(dataDir: string, cause?: unknown): SetupError {
  return new SetupError(
    `The disk that holds the data folder ${dataDir} is full. Free some space (the server wants at least 200 MB), or set DATA_DIR to a folder on another disk. Nothing that was committed is lost.`,
    { cause },
  );
}
