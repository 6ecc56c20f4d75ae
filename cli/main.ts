/** The `cool-mint` command. Each verb is a file; what it can expect to go wrong ends it with a message and code 1. */
import { Argument, Command, Option } from 'commander';
import { activitiesVerb } from '#cli/activities.ts';
import { auditVerb } from '#cli/audit.ts';
import { backupVerb } from '#cli/backup.ts';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { demoVerb } from '#cli/demo.ts';
import { doctorVerb } from '#cli/doctor.ts';
import { exportVerb } from '#cli/export.ts';
import { importVerb } from '#cli/import.ts';
import { logVerb } from '#cli/log.ts';
import { rebuildVerb } from '#cli/rebuild.ts';
import { restoreVerb } from '#cli/restore.ts';
import { selectVerb } from '#cli/select.ts';
import { type ServiceName, services } from '#cli/start/roles.ts';
import type { StartOptions } from '#cli/start.ts';
import { statusVerb } from '#cli/status.ts';
import { tokenVerb } from '#cli/token.ts';
import { sameVoice, verb } from '#cli/verb.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import { UnreadableFile } from '#shared/source-records/unreadable-file.ts';

const startVerb = verb('start', 'Start everything on this machine, or one service; Ctrl-C stops it', [
  'start',
  'start | cat   (a JSON object a line)',
  'start query-service',
  'start projector --only relay',
])
  .addArgument(new Argument('[service]', 'only this one; it needs DATABASE_URL').choices(services))
  .addOption(new Option('--only <part>', 'of the projector').choices(['relay', 'apply']))
  .addHelpText(
    'after',
    '\nSettings: PORT, ADMIN_PORT, HOST, DATA_DIR, DEMO=off, DATABASE_URL.\nStandard output is JSON lines by itself wherever it is no terminal.',
  )
  .action(async (service: ServiceName | undefined, options: Omit<StartOptions, 'service'>) => {
    if (options.only && service !== 'projector') throw new CliError('--only belongs to: start projector');
    const { start } = await import('./start.ts');
    await start({ ...options, service });
  });

const program = new Command('cool-mint')
  .description('Activities of your CRM: import, select, export, and the audit trail behind it all.')
  .version(cliConfig().version)
  .configureOutput(sameVoice)
  .showHelpAfterError('("cool-mint --help" lists the verbs)')
  .addHelpText(
    'after',
    `
The verbs find the service that runs on this machine. For another one set MINT_URL and MINT_TOKEN.

Examples:
  $ cool-mint import Task.csv Contact.csv Account.csv
  $ cool-mint activities --kind call --limit 5
  $ cool-mint select --name "Answered calls" --kind call --outcome answered`,
  );

for (const each of [
  startVerb,
  demoVerb(),
  importVerb(),
  activitiesVerb(),
  selectVerb(),
  exportVerb(),
  auditVerb(),
  rebuildVerb(),
  statusVerb(),
  doctorVerb(),
  tokenVerb(),
  logVerb(),
  backupVerb(),
  restoreVerb(),
])
  program.addCommand(each);

// A reader that has enough (| head) is no error. The service is none of these verbs: its output is its log.
if (process.argv[2] !== 'start')
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = 1;
  const expected = error instanceof CliError || error instanceof SetupError || error instanceof UnreadableFile;
  if (expected) process.stderr.write(`cool-mint: ${error.message}\n`);
  else throw error;
}
