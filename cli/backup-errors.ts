/** What can be expected to go wrong in a backup or a restore, with what to do. */
import { CliError } from '#cli/cli-error.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { StoreUnavailable } from '#shared/backup/store.ts';
import { CopyUnverified } from '#shared/event-log/copy-log.ts';
import { CopyConflict } from '#shared/event-log/copy-log-chains.ts';
import { LogsDiffer } from '#shared/event-log/copy-log-compare.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import { isTransient } from '#shared/postgres/transient-error.ts';

export function explainBackup(error: unknown, action: 'backup' | 'restore'): unknown {
  const goOn = `When that is mended, the same command goes on where this one was.`;
  if (error instanceof BackupRefused) return new CliError(error.message);
  if (error instanceof StoreUnavailable)
    return new CliError(`${error.message} ${action === 'backup' ? goOn : ''}`.trim());
  if (error instanceof LogsDiffer)
    return new CliError(
      `This installation is not empty; nothing was written.\n  ${error.message}\n  Restore into an empty one: another database (DATABASE_URL, or DATA_DIR), or another EVENTSTORE_STREAM_PREFIX. (The source is the backup, the target this installation.)`,
    );
  if (error instanceof CopyConflict || error instanceof CopyUnverified)
    return new CliError(
      `${error.message}\n  Make sure that no Cool Mint works with this installation, and restore into an empty one.`,
    );
  if (error instanceof LogUnavailable) return new CliError(`${error.message}. ${goOn}`);
  if (isTransient(error)) return new CliError(`The database does not answer: ${(error as Error).message}. ${goOn}`);
  return error;
}
