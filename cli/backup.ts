/** `cool-mint backup`: the log, and what is not in the log, to a folder or to S3. */
import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { explainBackup } from '#cli/backup-errors.ts';
import { cliConfig } from '#cli/config.ts';
import { bytes, note, plural, print, printJsonLine } from '#cli/output.ts';
import { eventsOn, progress } from '#cli/progress.ts';
import { startConfig } from '#cli/start/config.ts';
import { stopSignal } from '#cli/start/stop-signal.ts';
import { verb } from '#cli/verb.ts';

interface BackupVerbOptions {
  readonly to: string;
  readonly keys: boolean;
  readonly json?: true;
}

export function backupVerb(): Command {
  return verb('backup', 'Back up this installation, at work or not, to a folder or to S3', [
    'backup --to backups/cool-mint',
    'backup --to s3://my-bucket/cool-mint',
    'backup --to backups/cool-mint --without-keys',
  ])
    .addOption(new Option('--to <place>', 'a folder, or s3://bucket/prefix').makeOptionMandatory())
    .option('--without-keys', 'leave out the key that signs tokens on this machine')
    .addHelpText(
      'after',
      `
Settings, as for start: DATABASE_URL, or DATA_DIR with the embedded Postgres; EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX.
For S3: AWS_REGION and credentials as every AWS tool takes them; BACKUP_S3_ENDPOINT for a storage that is not AWS.
To the same place it adds only what is new. A backup that was cut is resumed by the same command.
Read it back with: cool-mint restore --check --from <place>`,
    )
    .action((options: Omit<BackupVerbOptions, 'keys'> & { withoutKeys?: true }) =>
      backUp({ ...options, keys: !options.withoutKeys }),
    );
}

async function backUp({ to, keys, json = false }: Omit<BackupVerbOptions, 'json'> & { json?: boolean }): Promise<void> {
  const config = startConfig();
  using stop = stopSignal();
  const bar = progress({ json });
  const logger = pino({ level: 'warn' }, { write: (line: string) => bar.say(JSON.parse(line).msg) });
  const shown = eventsOn(bar, { 'backing-up': 'Backing up' });
  try {
    // Only here: the clients of servers would make every other verb slower to begin.
    const { openBeside } = await import('#cli/installation.ts');
    const { createBackup } = await import('#shared/backup/create-backup.ts');
    const { openStore } = await import('#shared/backup/open-store.ts');
    const store = await openStore(to, stop.signal);
    await using installation = await openBeside(config, logger);
    const result = await createBackup({
      log: installation.log,
      client: installation.client,
      keysOf: keys ? config.DATA_DIR : null,
      store,
      version: cliConfig().version,
      now: () => new Date(),
      signal: stop.signal,
      onProgress: (events, fraction) => shown({ phase: 'backing-up', events, fraction }),
    });
    bar.end();
    if (json) printJsonLine({ event: 'done', to: store.place, ...result });
    else {
      const { before, events, time, rows } = result;
      print(`Backed up ${plural(events, 'event')} from ${installation.place} to ${store.place}.`);
      if (before > 0) print(`${plural(before, 'event')} had been there before.`);
      print(
        `  up to     ${time ?? 'the beginning'}\n  rows      ${rows} of tables that are not in the log\n  keys      ${result.keys ? 'yes: whoever reads the backup can sign tokens' : 'no'}\n  size      ${bytes(result.bytes)}`,
      );
    }
    if (result.leftBehind)
      note('Files of earlier backups could not be taken away there. What was erased since may still be in them.');
    store.close();
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw explainBackup(error, 'backup');
    note('\nStopped. The backup that was there before is as it was; the same command goes on where this one was.');
    process.exitCode = 130;
  } finally {
    bar.end();
  }
}
