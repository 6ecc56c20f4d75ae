/** `cool-mint select`: open, fill and freeze a selection in one step. */
import type { Command } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { addFilterOptions, type FilterOptions, filterOf } from '#cli/filter-options.ts';
import { findService } from '#cli/find-service.ts';
import { asOfText, count, minute, plain, plural, print, printJson } from '#cli/output.ts';
import { collectList, tenantFlag, tenantText, verb, wholeNumber } from '#cli/verb.ts';

interface SelectOptions extends FilterOptions {
  readonly name?: string;
  readonly purpose?: string;
  readonly ids?: readonly string[];
  readonly exclude?: readonly string[];
  readonly preview?: true;
  readonly expect?: number;
  readonly tenant?: string;
  readonly json?: true;
}

interface Selection {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly count: number;
  readonly digest: string | null;
}

interface Preview {
  readonly count: number;
  readonly kinds: readonly { readonly kind: string; readonly count: number }[];
  readonly owners: readonly { readonly id: string | null; readonly name: string | null; readonly count: number }[];
  readonly occurredAt: { readonly from: string | null; readonly to: string | null };
  readonly asOf: { readonly time: string | null };
}

export function selectVerb(): Command {
  const command = verb('select', 'Select activities, by a filter or by ids, and freeze the selection', [
    'select --name "Answered calls" --purpose "Q3 review" --kind call --outcome answered',
    'select --preview --kind call --from 2026-01-01',
    'select --name "Two of them" --ids 0193…,0194…',
  ])
    .option('--name <name>', 'what to call it')
    .option('--purpose <text>', 'what it is for')
    .option('--ids <ids>', 'these activities; with commas, or repeated', collectList)
    .option('--exclude <ids>', 'matches of the filter that are left out', collectList)
    .option('--preview', 'show what it would hold; records nothing')
    .option('--expect <number>', 'refuse where the filter matches another number', wholeNumber(0))
    .option(tenantFlag, tenantText);
  return addFilterOptions(command).action((options: SelectOptions) => select(options));
}

/** What to select, as the API takes it. */
export function chosenOf(options: SelectOptions): object {
  const filter = filterOf(options);
  const { ids, exclude, expect } = options;
  if (ids && (filter || exclude || expect !== undefined))
    throw new CliError('Give either --ids or a filter: --exclude and --expect belong to a filter too.');
  if (ids?.length === 0)
    throw new CliError('--ids is empty. Give ids of activities, as "cool-mint activities" lists them.');
  if (!ids && !filter)
    throw new CliError('Say what to select: --ids, or at least one option of the filter, such as --kind call.');
  if (ids) return { ids };
  return { filter, ...(exclude ? { exclude } : {}), ...(expect === undefined ? {} : { expectedCount: expect }) };
}

async function select(options: SelectOptions): Promise<void> {
  const chosen = chosenOf(options);
  if (!options.preview && !options.name?.trim())
    throw new CliError('Give the selection a name: --name "Answered calls". Or look first, with --preview.');
  const { client, tenant } = await findService(cliConfig(), { tenant: options.tenant });
  if (options.preview) {
    const { body } = await client.call<Preview>('/api/v1/activities/selection/preview', {
      method: 'POST',
      body: chosen,
    });
    if (options.json) printJson(body);
    else print(previewText(body));
    if (options.expect !== undefined && options.expect !== body.count)
      throw new CliError(
        `The filter matches ${plural(body.count, 'activity', 'activities')}, expected ${options.expect}.`,
      );
    return;
  }
  const { name, purpose = null } = options;
  const { body, position } = await client.call<Selection>('/api/v1/activities/selection', {
    method: 'POST',
    body: { name, purpose, ...chosen },
  });
  if (options.json) return printJson({ ...body, position });
  print(`Selected ${plural(body.count, 'activity', 'activities')} as "${plain(body.name)}", ${body.status}.`);
  print(`  id      ${body.id}\n  digest  ${body.digest ?? ''}`);
  print(`Hand it out: cool-mint export ${body.id}${options.tenant === undefined ? '' : ` --tenant ${tenant}`}`);
}

function previewText({ count: number, kinds, owners, occurredAt, asOf }: Preview): string {
  const lines = [
    `${plural(number, 'activity', 'activities')} would be selected, ${asOfText(asOf)}. Nothing was recorded.`,
  ];
  if (number === 0) return lines.join('\n');
  lines.push(`  kinds     ${kinds.map((each) => `${each.kind} ${count(each.count)}`).join(', ')}`);
  lines.push(
    `  owners    ${owners.map((each) => plain(`${each.name ?? each.id ?? '(none)'} ${count(each.count)}`)).join(', ')}`,
  );
  lines.push(`  occurred  ${minute(occurredAt.from) || '?'} to ${minute(occurredAt.to) || '?'} (UTC)`);
  return lines.join('\n');
}
