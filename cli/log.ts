/** `cool-mint log`: move the event log to another kind of store, and compare the two. */
import { Argument, type Command, Option } from 'commander';
import { pino } from 'pino';
import { CliError } from '#cli/cli-error.ts';
import type { LogSides } from '#cli/log-sides.ts';
import { count, note, plural, print, printJsonLine } from '#cli/output.ts';
import { eventsOn, type Progress, progress } from '#cli/progress.ts';
import { startConfig } from '#cli/start/config.ts';
import { stopSignal } from '#cli/start/stop-signal.ts';
import { verb } from '#cli/verb.ts';
import { type CopyOptions, CopyUnverified, copyLog, tellOf } from '#shared/event-log/copy-log.ts';
import { CopyConflict } from '#shared/event-log/copy-log-chains.ts';
import { compareLogs, LogsDiffer } from '#shared/event-log/copy-log-compare.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import type { LogKind } from '#shared/postgres/installation-lock.ts';
import { isTransient } from '#shared/postgres/transient-error.ts';

const logKinds = ['postgres', 'eventstoredb'] as const satisfies readonly LogKind[];
type Action = 'copy' | 'verify';

interface LogOptions {
  readonly from: LogKind;
  readonly to: LogKind;
  readonly json?: true;
}

export function logVerb(): Command {
  return verb('log', 'Copy the event log to another store, or compare the two; the service is stopped meanwhile', [
    'log copy --from postgres --to eventstoredb',
    'log verify --from postgres --to eventstoredb',
  ])
    .addArgument(
      new Argument('<action>', 'copy: what the target lacks, then compare; verify: only compare').choices([
        'copy',
        'verify',
      ]),
    )
    .addOption(new Option('--from <store>', 'where the events are').choices(logKinds).makeOptionMandatory())
    .addOption(new Option('--to <store>', 'where they go').choices(logKinds).makeOptionMandatory())
    .addHelpText(
      'after',
      `
Settings, as for start: EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX; DATABASE_URL, or DATA_DIR with the embedded Postgres.
A copy that was cut is resumed by the same command. A target that holds anything else than a beginning of the source is refused.`,
    )
    .action((action: Action, options: LogOptions) => moveLog(action, options));
}

async function moveLog(action: Action, { from, to, json = false }: { from: LogKind; to: LogKind; json?: boolean }) {
  if (from === to) throw new CliError(`--from and --to are both ${from}. One of them is the other store.`);
  const config = startConfig();
  using stop = stopSignal();
  const bar = progress({ json });
  const logger = pino({ level: 'warn' }, { write: (line: string) => bar.say(JSON.parse(line).msg) });
  try {
    // Only here: the clients of two servers would make every other verb slower to begin.
    const { openLogs } = await import('#cli/log-sides.ts');
    await using sides = await openLogs(config, logger, action === 'copy' ? to : null, (used) => {
      if (action === 'copy') checkUse(used, from, to, json);
    });
    const options = {
      source: sides.logs[from],
      target: sides.logs[to],
      signal: stop.signal,
      onProgress: eventsOn(bar, labels),
    };
    if (action === 'copy') await copy(options, { sides, from, to, json, bar });
    else await verify(options, { sides, from, to, json, bar });
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw explained(error, action, from, to);
    note(
      action === 'copy'
        ? '\nStopped. What was copied stays; the same command goes on where this one was.'
        : '\nStopped.',
    );
    process.exitCode = 130;
  } finally {
    bar.end();
  }
}

interface Shown {
  readonly sides: LogSides;
  readonly from: LogKind;
  readonly to: LogKind;
  readonly json: boolean;
  readonly bar: Progress;
}

async function copy(options: CopyOptions, { sides, from, to, json, bar }: Shown): Promise<void> {
  const result = await copyLog(options);
  bar.end();
  const { before, copied, events, digest, growing } = result;
  if (events === 0)
    throw new CliError(
      `The event log in ${sides.places[from]} is empty: nothing was copied. Check ${from === 'postgres' ? 'DATABASE_URL and DATA_DIR' : 'EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX'}.`,
    );
  if (json) return printJsonLine({ event: 'done', from, to, ...result });
  print(`Copied ${plural(copied, 'event')} from ${sides.places[from]} to ${sides.places[to]}.`);
  if (before > 0) print(`${plural(before, 'event')} had been there before.`);
  print(`Both hold the same ${plural(events, 'event')} now, each tenant's in the same order.\n  digest  ${digest}`);
  if (growing)
    note('The source has got events since: a Cool Mint still writes there. Stop it, and run the same command again.');
  else note(nextSteps(to));
}

const nextSteps = (to: LogKind): string =>
  `Next: start Cool Mint with EVENTSTORE_URL ${to === 'eventstoredb' ? 'as it is now' : 'unset'}, and rebuild its views from the log they now belong to:\n  npx cool-mint rebuild all`;

async function verify({ onProgress, ...options }: CopyOptions, { from, to, json, bar }: Shown): Promise<void> {
  const { events, missing, digest } = await compareLogs({
    ...options,
    whole: true,
    tell: tellOf({ onProgress }, 'verifying'),
  });
  bar.end();
  if (json) printJsonLine({ event: 'done', from, to, events, missing, digest });
  if (missing > 0)
    throw new CliError(
      `The target holds a beginning of the source, ${plural(events, 'event')}, and lacks ${count(missing)}. Copy them with: npx cool-mint log copy --from ${from} --to ${to}`,
    );
  if (!json)
    print(`Both hold the same ${plural(events, 'event')}, each tenant's in the same order.\n  digest  ${digest}`);
}

function checkUse(used: ReadonlySet<LogKind>, from: LogKind, to: LogKind, json: boolean): void {
  if (used.has(to))
    throw new CliError(
      `A Cool Mint is at work on this database, with its event log in ${to === 'postgres' ? 'it' : 'another store'}. Stop it first: what it records would get between what is copied.`,
    );
  if (used.has(from) && !json)
    note(
      'A Cool Mint is at work on this database. What it records meanwhile is copied too, as far as it can be; stop it and run this again before you switch.',
    );
}

const labels = { comparing: 'Comparing', copying: 'Copying', verifying: 'Verifying' } as const;

/** What can be expected to go wrong, with what to do. */
function explained(error: unknown, action: Action, from: LogKind, to: LogKind): unknown {
  if (error instanceof LogsDiffer) {
    const elsewhere =
      to === 'eventstoredb'
        ? 'another EVENTSTORE_STREAM_PREFIX or another server'
        : 'another database (DATABASE_URL, or DATA_DIR)';
    const advice = error.beyond
      ? `Something has worked with the target since. If its events are the ones to keep, go on with the target, or copy in the other direction (--from ${to} --to ${from}); else copy to an empty log: ${elsewhere}.`
      : `To copy all of it, choose an empty log: ${elsewhere}.`;
    return new CliError(
      `The target is neither empty nor a beginning of the source${action === 'copy' ? '; nothing was written' : ''}.\n  ${error.message}\n  ${advice}`,
    );
  }
  if (error instanceof CopyConflict || error instanceof CopyUnverified)
    return new CliError(
      `${error.message}\n  Make sure that no Cool Mint works with either log, and run the same command again; it says whether the target can still be used.`,
    );
  if (!(error instanceof LogUnavailable) && !isTransient(error)) return error;
  const what =
    error instanceof LogUnavailable ? error.message : `the database does not answer: ${(error as Error).message}`;
  return new CliError(
    `${what}.${action === 'copy' ? ' What was copied stays; when it answers again, the same command goes on.' : ''}`,
  );
}
