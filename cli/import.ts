/** `cool-mint import`: files of a CRM into a tenant. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { dryRun, dryRunText } from '#cli/dry-run.ts';
import { findService } from '#cli/find-service.ts';
import {
  type ChosenSource,
  checkFiles,
  type ImportFile,
  type LookOptions,
  lookAtFiles,
  readMapping,
  sourceOf,
} from '#cli/import-files.ts';
import { importReporter, printDone, reportImport } from '#cli/import-report.ts';
import { note, plain, print, printJson, printJsonLine } from '#cli/output.ts';
import { type ImportRequest, runImport } from '#cli/run-import.ts';
import { collect, tenantFlag, tenantText, verb } from '#cli/verb.ts';
import { syncMode } from '#shared/events/sync-run.ts';

interface ImportOptions {
  readonly object?: string;
  readonly map?: readonly string[];
  readonly mapping?: string;
  readonly source?: string;
  readonly mode: ImportRequest['mode'];
  readonly tenant?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

export function importVerb(): Command {
  return verb('import', 'Import files: CSV of Salesforce objects, NDJSON (.ndjson, .jsonl) of anything else', [
    'import Task.csv Contact.csv Account.csv',
    'import export.csv --object Task --map kind=Type__c --dry-run',
    'import calls.ndjson --source ndjson:dialler',
  ])
    .argument('<files...>', 'files of any size')
    .option('--object <name>', 'what a CSV holds, where its columns do not tell: Task, Event, Contact, ...')
    .addOption(new Option('--map <field=Column>', 'read a field from this column; repeatable').argParser(collect))
    .option('--mapping <file>', 'the same as a JSON file: { "kind": "Type__c" }')
    .option(
      '--source <name>',
      'the system of record: salesforce, salesforce:<name> or ndjson:<name> (default: salesforce; for one NDJSON file by its name)',
    )
    .addOption(
      new Option('--mode <mode>', 'full and incremental imports keep a watermark')
        .choices(syncMode.options)
        .default('partial'),
    )
    .option(tenantFlag, tenantText)
    .option('--dry-run', 'show what would be imported; records nothing, needs no service')
    .action((files: readonly string[], options: ImportOptions) => importFiles(files, options));
}

async function importFiles(paths: readonly string[], options: ImportOptions): Promise<void> {
  const json = options.json === true;
  const files = await checkFiles(paths);
  if (options.object !== undefined && files.every(({ format }) => format === 'ndjson'))
    throw new CliError('--object is for CSV files; the lines of an NDJSON file say what they are.');
  const mapping = await readMapping(options.map ?? [], options.mapping, (file) => readFile(file, 'utf8'));
  const chosen = sourceOf(files, options.source);
  const look = { object: options.object, mapping };
  if (options.dryRun) return showDryRun(files, look, chosen, json);

  const { parts, skipped } = await lookAtFiles(files, look);
  if (!json) for (const { file, reason } of skipped) note(`Skipped ${file}: ${reason}.`);
  else for (const each of skipped) printJsonLine({ event: 'skipped', ...each });
  if (!json && chosen.concluded) note(sourceNote(chosen.source));
  if (parts.length === 0) {
    if (json) printDone(null, { source: chosen.source, tenant: options.tenant ?? null, skipped });
    else print('There was nothing to import.');
    return;
  }
  const { client, tenant } = await findService(cliConfig(), { tenant: options.tenant });
  const stopListening = onInterrupt();
  const { tell, end } = importReporter(json);
  try {
    const outcome = await runImport({ client, source: chosen.source, mode: options.mode, mapping, parts, tell });
    end();
    if (json) return printDone(outcome, { source: chosen.source, tenant, skipped });
    print(
      `Imported into ${tenant === null ? "the token's tenant" : `tenant ${tenant}`}, source ${chosen.source}: ${parts.map(({ label, object }) => `${plain(path.basename(label))} (${object ?? 'NDJSON'})`).join(', ')}`,
    );
    await reportImport(
      client,
      outcome,
      parts.map(({ label }) => label),
    );
  } finally {
    end();
    stopListening();
  }
}

const sourceNote = (source: string): string =>
  `Source ${source}, by the name of the file. It is part of what identifies a record: for later files of the same system say --source ${source}.`;

async function showDryRun(
  files: readonly ImportFile[],
  look: LookOptions,
  { source, concluded }: ChosenSource,
  json: boolean,
): Promise<void> {
  const results = [];
  for (const file of files) {
    const result = await dryRun(file, look);
    results.push(result);
    if (!json) print(dryRunText(result));
  }
  const refused = results.filter(({ outcome }) => outcome === 'refused');
  if (json) printJson({ source, files: results });
  else if (concluded) note(sourceNote(source));
  if (!json) note('Dry run: nothing was recorded.');
  if (refused.length > 0)
    throw new CliError(`An import of these files would be refused: ${refused.map(({ file }) => file).join(', ')}.`);
}

/** What is recorded stays recorded: the same command goes on. */
function onInterrupt(): () => void {
  const interrupted = () => {
    note('\nStopped. What was recorded stays; the same command goes on where this one was.');
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  return () => process.off('SIGINT', interrupted);
}
