/** `cool-mint doctor`: looks at an installation as its settings describe it, and says what is wrong and what to do. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { type Finding, type Group, groups } from '#cli/doctor/check.ts';
import { wholeEnvironment } from '#cli/doctor/config.ts';
import type { Report } from '#cli/doctor/examine.ts';
import { plain, print, printJsonLine } from '#cli/output.ts';
import { collectList, verb } from '#cli/verb.ts';

interface DoctorOptions {
  readonly only?: readonly Group[];
  readonly json?: boolean;
}

export function doctorVerb(): Command {
  return verb('doctor', 'Look at an installation: what is wrong, and what to do', [
    'doctor',
    'doctor --only database,log',
  ])
    .option('--only <groups>', `with commas: ${groups.join(', ')}`, onlyGroups)
    .addHelpText(
      'after',
      `
Settings, as for start; MINT_URL and MINT_TOKEN for an API elsewhere. It writes nothing, and needs no service that runs.
Code 0 where nothing failed (there may be warnings), 1 where something did.`,
    )
    .action((options: DoctorOptions) => doctor(options));
}

function onlyGroups(text: string, before: readonly Group[] = []): readonly Group[] {
  const named = collectList(text, before);
  for (const name of named)
    if (!groups.some((group) => group === name))
      throw new InvalidArgumentError(`There is no group "${plain(name)}". There are: ${groups.join(', ')}.`);
  return named as Group[];
}

const signs: Record<Finding['status'], string> = { ok: '✓', warning: '!', failed: '✗', skipped: '-' };
const indent = ' '.repeat(8);

async function doctor({ only, json = false }: DoctorOptions): Promise<void> {
  // Only here: the clients of all servers would make every other verb slower to begin.
  const { lookAt } = await import('#cli/doctor/installation.ts');
  const { allChecks } = await import('#cli/doctor/checks.ts');
  const { examine } = await import('#cli/doctor/examine.ts');
  const count: Record<Finding['status'], number> = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  {
    await using installation = lookAt(wholeEnvironment());
    const checks = (await allChecks(installation)).filter(({ group }) => !only || only.includes(group));
    const show = json ? { report: printJsonLine, end: () => undefined } : forEyes();
    for await (const report of examine(checks)) {
      count[report.status]++;
      show.report(report);
    }
    show.end();
  }
  const { ok, warning, failed, skipped } = count;
  if (json) printJsonLine({ event: 'done', ...count });
  else print(`\n${ok} ok, ${warning} ${warning === 1 ? 'warning' : 'warnings'}, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
  // Clients of servers that do not answer may try on for a while; all is said.
  setTimeout(() => process.exit(), 1_000).unref();
}

/** What is skipped for one reason stands on one line. */
function forEyes() {
  let group: Group | null = null;
  let held: Report | null = null;
  const end = () => {
    if (held) print(lineOf(held));
    held = null;
  };
  return {
    report(report: Report) {
      if (held?.group === report.group && report.status === 'skipped' && held.text === report.text) {
        held = { ...held, check: `${held.check}, ${report.check}` };
        return;
      }
      end();
      if (report.group !== group) print(`${group === null ? '' : '\n'}${report.group}`);
      group = report.group;
      if (report.status === 'skipped') held = report;
      else print(lineOf(report));
    },
    end,
  };
}

function lineOf({ status, check, text, advice }: Report): string {
  const lines = text.split('\n').map((line) => plain(line));
  return [
    `  ${signs[status]} ${check}: ${status === 'skipped' ? 'skipped, ' : ''}${lines.join(`\n${indent}`)}`,
    ...(advice === null ? [] : [`${indent}→ ${plain(advice)}`]),
  ].join('\n');
}
