/**
 * `cool-mint backup --every`: backs up again and again until it is told to stop. As a service does, it logs lines of JSON,
 * and answers health and metrics on ADMIN_PORT: how old the newest backup is can be watched there.
 */
import { explainBackup } from '#cli/backup-errors.ts';
import type { StartConfig } from '#cli/start/config.ts';
import { listenOn } from '#cli/start/listen-on.ts';
import type { BackupResult } from '#shared/backup/create-backup.ts';
import { backupMetrics } from '#shared/backup/metrics.ts';
import { createAdminApp } from '#shared/http/admin-app.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createLogger } from '#shared/telemetry/logger.ts';

/** Sooner than the next one: what was away may be back. */
const retryMilliseconds = 60_000;

export interface BackUpEveryOptions {
  readonly milliseconds: number;
  readonly config: StartConfig;
  readonly signal: AbortSignal;
  /** When the backup that is in the place was complete; null where there is none. */
  readonly newest: () => Promise<Date | null>;
  readonly backUp: () => Promise<BackupResult & { readonly to: string }>;
}

export async function backUpEvery({ milliseconds, config, signal, newest, backUp }: BackUpEveryOptions): Promise<void> {
  const logger = createLogger(config.LOG_LEVEL, config.pretty);
  let wrong: string | null = null;
  const admin = createAdminApp(
    {
      dead: () => [],
      starting: () => false,
      missing: async () => (wrong === null ? [] : [wrong]),
    },
    logger,
  );
  backupMetrics.interval.set(milliseconds / 1_000);
  const toSeconds = (date: Date | null) => (date?.getTime() ?? 0) / 1_000;
  backupMetrics.time.set(toSeconds(await newest().catch(() => null)));
  const adminUrl = await listenOn(admin, config.HOST, config.ADMIN_PORT, 'ADMIN_PORT');
  try {
    logger.info({ event: 'ready', adminUrl }, 'backing up from now on');
    while (!signal.aborted) {
      const begun = performance.now();
      try {
        const result = await backUp();
        backupMetrics.time.set(toSeconds(new Date()));
        wrong = null;
        logger.info({ event: 'backed-up', ...result }, `${result.events} events are backed up`);
      } catch (error) {
        if (signal.aborted) break;
        backupMetrics.failures.inc();
        wrong = (explainBackup(error, 'backup') as Error).message;
        logger.error({ event: 'failed' }, wrong);
      }
      const pause =
        wrong === null ? milliseconds - (performance.now() - begun) : Math.min(milliseconds, retryMilliseconds);
      await systemRuntime.sleep(Math.max(0, pause), signal);
    }
    logger.info({ event: 'stopping' }, 'stopping');
  } finally {
    await admin.close();
  }
}
