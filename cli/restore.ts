/** `cool-mint restore`: a backup into an empty installation; or only whether that would do. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { explainBackup } from '#cli/backup-errors.ts';
import { note, plural, print, printJsonLine } from '#cli/output.ts';
import { eventsOn, type Progress, progress } from '#cli/progress.ts';
import { startConfig } from '#cli/start/config.ts';
import { stopSignal } from '#cli/start/stop-signal.ts';
import { toInstant, verb } from '#cli/verb.ts';
import type { RestoreResult } from '#shared/backup/restore-backup.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import type { Until, VerifiedBackup } from '#shared/backup/verify-backup.ts';
import { isPosition } from '#shared/event-log/position.ts';

interface RestoreVerbOptions {
  readonly from: string;
  readonly until?: Until;
  readonly check?: true;
  readonly json?: true;
}

export function restoreVerb(): Command {
  return verb('restore', 'Restore a backup into an empty installation; the service is stopped meanwhile', [
    'restore --check --from backups/cool-mint',
    'restore --from backups/cool-mint',
    'restore --from s3://my-bucket/cool-mint --until 2026-01-31T09:30:00Z',
  ])
    .addOption(new Option('--from <place>', 'a folder, or s3://bucket/prefix').makeOptionMandatory())
    .option(
      '--until <when>',
      'the log only up to here: a time with its zone, a date (to its end, in UTC), or a position',
      untilOf,
    )
    .option('--check', 'only read the backup, and say what a restore would bring')
    .addHelpText(
      'after',
      `
Settings, as for start and backup. The backup need not be of the same kind of event log.
Every byte is verified before anything is written. A restore that was cut is resumed by the same command.`,
    )
    .action((options: RestoreVerbOptions) => restore(options));
}

export function untilOf(text: string): Until {
  if (isPosition(text)) return { position: text };
  try {
    // --to of other verbs ends before its time; of a date, at the end of the day.
    const instant = toInstant(text);
    return { time: /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(Date.parse(instant) - 1).toISOString() : instant };
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(`${error.message.replace(/\.$/, '')}, or a position of the log.`);
  }
}

const labels = {
  reading: 'Reading the backup',
  comparing: 'Comparing',
  copying: 'Restoring',
  verifying: 'Verifying',
} as const;

async function restore({
  from,
  until,
  check = false,
  json = false,
}: {
  from: string;
  until?: Until;
  check?: boolean;
  json?: boolean;
}): Promise<void> {
  using stop = stopSignal();
  const bar = progress({ json });
  const shown = eventsOn(bar, labels);
  try {
    const { openStore } = await import('#shared/backup/open-store.ts');
    const store = await openStore(from, stop.signal);
    const options = { store, until: until ?? null, signal: stop.signal };
    if (check) {
      const { verifyBackup } = await import('#shared/backup/verify-backup.ts');
      const verified = await verifyBackup({
        ...options,
        onProgress: (events, fraction) => shown({ phase: 'reading', events, fraction }),
      });
      bar.end();
      checked(store, verified, json);
    } else await restoreInto({ ...options, onProgress: shown }, bar, json);
    store.close();
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw explainBackup(error, 'restore');
    note(check ? '\nStopped.' : '\nStopped. What was restored stays; the same command goes on where this one was.');
    process.exitCode = 130;
  } finally {
    bar.end();
  }
}

async function restoreInto(
  options: Omit<
    Parameters<typeof import('#shared/backup/restore-backup.ts').restoreBackup>[0],
    'log' | 'client' | 'dataDir'
  >,
  bar: Progress,
  json: boolean,
): Promise<void> {
  const config = startConfig();
  const logger = pino({ level: 'warn' }, { write: (line: string) => bar.say(JSON.parse(line).msg) });
  // Only here: the clients of servers would make every other verb slower to begin.
  const { openInPlace } = await import('#cli/installation.ts');
  const { readManifest } = await import('#shared/backup/verify-backup.ts');
  const { restoreBackup } = await import('#shared/backup/restore-backup.ts');
  // Before a database is made for it.
  await readManifest(options.store);
  await using installation = await openInPlace(config, logger);
  const { log, client } = installation;
  const result = await restoreBackup({ ...options, log, client, dataDir: config.DATA_DIR });
  bar.end();
  if (json)
    printJsonLine({
      event: 'done',
      from: options.store.place,
      ...summary(result),
      before: result.before,
      rows: result.rows,
      keys: result.keys,
      staleViews: result.staleViews,
    });
  else {
    print(`Restored ${plural(result.events, 'event')} from ${options.store.place} to ${installation.place}.`);
    if (result.before > 0) print(`${plural(result.before, 'event')} had been there before.`);
    print(logFacts(result));
    print(`  rows      ${result.rows ?? 'none: the tables that are not in the log have rows, which are kept'}`);
    print(`  keys      ${keysText[result.keys]}`);
  }
  note(
    result.staleViews
      ? 'Next: start Cool Mint, and rebuild its views, which are of another log:\n  npx cool-mint rebuild all'
      : 'Next: start Cool Mint. It builds its views from the log.',
  );
}

const keysText: Readonly<Record<RestoreResult['keys'], string>> = {
  none: 'none in the backup',
  restored: 'restored: tokens of before are valid again',
  'the same': 'were there',
  'others were there': 'the data folder has others, which are kept: tokens of before are not valid here',
};

type Summarised = Pick<VerifiedBackup, 'content' | 'events' | 'time' | 'cut' | 'digest'>;

const summary = ({ content, events, time, cut, digest }: Summarised) => ({
  createdAt: content.createdAt,
  version: content.version,
  events,
  time,
  cut,
  digest,
});

const logFacts = ({ content, events, time, cut, digest }: Summarised): string =>
  `  up to     ${time ?? 'the beginning'}${cut ? ` (${plural(content.log.events - events, 'event')} after it left out)` : ''}\n  digest    ${digest}`;

function checked(store: BackupStore, verified: VerifiedBackup, json: boolean): void {
  const { content, events, position } = verified;
  const rows = content.tables.reduce((sum, table) => sum + table.rows, 0);
  const keys = content.keys.length > 0;
  if (json) {
    printJsonLine({ event: 'done', from: store.place, ...summary(verified), position, rows, keys });
    return;
  }
  print(`The backup in ${store.place} is whole. A restore would bring ${plural(events, 'event')}.`);
  print(`  made      ${content.createdAt}, by version ${content.version}`);
  print(logFacts(verified));
  print(`  rows      ${rows}\n  keys      ${keys ? 'yes' : 'no'}`);
}
