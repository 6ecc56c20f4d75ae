import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from '#shared/errors/setup-error.ts';

/**
 * Makes this process the only one that uses a data folder, and returns the release.
 *
 * A file with a process id in it would have to be judged stale or not after a kill -9, and ids are used again. SQLite
 * holds its lock with the operating system, which lets go of it the moment the process ends, however it ends. Nothing
 * is ever stored in the file.
 *
 * Waits up to `waitMs` for a holder that may be about to end.
 */
export async function lockFolder(lockFile: string, dataDir: string, waitMs: number): Promise<() => void> {
  const begin = Date.now();
  const database = new DatabaseSync(lockFile, { timeout: 0 });
  for (;;) {
    try {
      // No journal on disk, so that the lock can be had on a full one too.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      break;
    } catch (error) {
      const busy = 5; // SQLITE_BUSY, https://sqlite.org/rescode.html#busy
      if ((error as { errcode?: number }).errcode === busy) {
        if (Date.now() - begin < waitMs) {
          await delay(50);
          continue;
        }
        database.close();
        throw new SetupError(
          `Another Cool Mint process is using the data folder ${dataDir}. Stop it first, or set DATA_DIR to another folder for this one.`,
          { cause: error },
        );
      }
      database.close();
      throw error;
    }
  }
  return () => {
    if (database.isOpen) database.close();
  };
}
