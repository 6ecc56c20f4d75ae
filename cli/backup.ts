/** `cool-mint backup`: the log, and what is not in the log, to a folder or to S3. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Logger, pino } from 'pino';
import { explainBackup } from '#cli/backup-errors.ts';
import { cliConfig } from '#cli/config.ts';
import { bytes, note, plural, print, printJsonLine } from '#cli/output.ts';
import { eventsOn, progress } from '#cli/progress.ts';
import { type StartConfig, startConfig } from '#cli/start/config.ts';
import { stopSignal } from '#cli/start/stop-signal.ts';
import { verb } from '#cli/verb.ts';
import type { BackupOptions, BackupResult } from '#shared/backup/create-backup.ts';
import { BackupRefused } from '#shared/backup/refused.ts';

interface BackupVerbOptions {
  readonly to: string;
  readonly keys: boolean;
  /** In milliseconds. */
  readonly every?: number;
  readonly json?: true;
}

export function backupVerb(): Command {
  return verb('backup', 'Back up this installation, at work or not, to a folder or to S3', [
    'backup --to backups/cool-mint',
    'backup --to s3://my-bucket/cool-mint',
    'backup --to backups/cool-mint --without-keys',
    'backup --to s3://my-bucket/cool-mint --every 1h',
  ])
    .addOption(new Option('--to <place>', 'a folder, or s3://bucket/prefix').makeOptionMandatory())
    .option('--without-keys', 'leave out the key that signs tokens on this machine')
    .option('--every <time>', 'again and again until it is stopped: 30m, 1h, 1d', milliseconds)
    .addHelpText(
      'after',
      `
Settings, as for start: DATABASE_URL, or DATA_DIR with the embedded Postgres; EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX.
For S3: AWS_REGION and credentials as every AWS tool takes them; BACKUP_S3_ENDPOINT for a storage that is not AWS.
To the same place it adds only what is new. A backup that was cut is resumed by the same command.
With --every it logs as a service does, and tells health and metrics (when it last backed up) on ADMIN_PORT.
Read it back with: cool-mint restore --check --from <place>`,
    )
    .action(({ withoutKeys, every, ...given }: Omit<BackupVerbOptions, 'keys'> & { withoutKeys?: true }) => {
      const options = { ...given, keys: !withoutKeys };
      return every === undefined ? once(options) : again(options, every);
    });
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,4})([smhd])$/.exec(text) ?? [];
  const found = Number(number) * (units[unit] ?? 0);
  if (!(found > 0)) throw new InvalidArgumentError('Expected a number and s, m, h or d, such as 1h.');
  return found;
}

type Made = BackupResult & { readonly to: string; readonly place: string };

async function backUp(
  config: StartConfig,
  { to, keys }: BackupVerbOptions,
  logger: Logger,
  signal: AbortSignal,
  onProgress: BackupOptions['onProgress'],
): Promise<Made> {
  // Only here: the clients of servers would make every other verb slower to begin.
  const { openBeside } = await import('#cli/installation.ts');
  const { createBackup } = await import('#shared/backup/create-backup.ts');
  const { openStore } = await import('#shared/backup/open-store.ts');
  const store = await openStore(to, signal);
  try {
    await using installation = await openBeside(config, logger);
    const result = await createBackup({
      log: installation.log,
      client: installation.client,
      keysOf: keys ? config.DATA_DIR : null,
      store,
      version: cliConfig().version,
      now: () => new Date(),
      signal,
      onProgress,
    });
    return { ...result, to: store.place, place: installation.place };
  } finally {
    store.close();
  }
}

async function again(options: BackupVerbOptions, every: number): Promise<void> {
  const config = startConfig();
  using stop = stopSignal();
  const { backUpEvery } = await import('#cli/backup-every.ts');
  const { openStore } = await import('#shared/backup/open-store.ts');
  const { readManifest } = await import('#shared/backup/verify-backup.ts');
  const logger = pino({ level: 'silent' });
  await backUpEvery({
    milliseconds: every,
    config,
    signal: stop.signal,
    async newest() {
      const store = await openStore(options.to, stop.signal);
      try {
        return new Date((await readManifest(store)).createdAt);
      } catch (error) {
        if (error instanceof BackupRefused) return null;
        throw error;
      } finally {
        store.close();
      }
    },
    async backUp() {
      const { place: _, ...made } = await backUp(config, options, logger, stop.signal, () => undefined);
      return made;
    },
  });
}

async function once({ json = false, ...options }: Omit<BackupVerbOptions, 'json'> & { json?: boolean }): Promise<void> {
  const config = startConfig();
  using stop = stopSignal();
  const bar = progress({ json });
  const logger = pino({ level: 'warn' }, { write: (line: string) => bar.say(JSON.parse(line).msg) });
  const shown = eventsOn(bar, { 'backing-up': 'Backing up' });
  try {
    const { place, ...result } = await backUp(config, options, logger, stop.signal, (events, fraction) =>
      shown({ phase: 'backing-up', events, fraction }),
    );
    bar.end();
    if (json) printJsonLine({ event: 'done', ...result });
    else {
      const { before, events, time, rows, to } = result;
      print(`Backed up ${plural(events, 'event')} from ${place} to ${to}.`);
      if (before > 0) print(`${plural(before, 'event')} had been there before.`);
      print(
        `  up to     ${time ?? 'the beginning'}\n  rows      ${rows} of tables that are not in the log\n  keys      ${result.keys ? 'yes: whoever reads the backup can sign tokens' : 'no'}\n  size      ${bytes(result.bytes)}`,
      );
    }
    if (result.leftBehind)
      note('Files of earlier backups could not be taken away there. What was erased since may still be in them.');
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw explainBackup(error, 'backup');
    note('\nStopped. The backup that was there before is as it was; the same command goes on where this one was.');
    process.exitCode = 130;
  } finally {
    bar.end();
  }
}
