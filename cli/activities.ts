/** `cool-mint activities`: the listing. */
import { type Command, Option } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import type { ApiAnswer, Client } from '#cli/client.ts';
import { cliConfig } from '#cli/config.ts';
import { addFilterOptions, type FilterOptions, filterOf, filterQuery } from '#cli/filter-options.ts';
import { findService } from '#cli/find-service.ts';
import { asOfText, count, minute, note, print, printJson, write } from '#cli/output.ts';
import { type Column, tableOf } from '#cli/table.ts';
import { tenantFlag, tenantText, verb, wholeNumber } from '#cli/verb.ts';

interface ActivitiesOptions extends FilterOptions {
  readonly sort: string;
  readonly limit: number;
  readonly all?: true;
  readonly tenant?: string;
  readonly json?: true;
}

interface Named {
  readonly id: string | null;
  readonly name: string | null;
}

interface Activity {
  readonly id: string;
  readonly kind: string;
  readonly subject: string | null;
  readonly status: string | null;
  readonly occurredAt: string | null;
  readonly dueOn: string | null;
  readonly owner: Named | null;
  readonly account: Named | null;
  readonly who: Named | null;
}

interface Page {
  readonly data: readonly Activity[];
  readonly page: { readonly next: string | null };
  readonly total: { readonly value: number; readonly exact: boolean };
  readonly asOf: { readonly position: string; readonly time: string | null };
}

const sorts = ['occurredAt', 'dueOn', 'modifiedAt', 'duration'].flatMap((field) => [field, `-${field}`]);
const mostRows = 200;

const named = (reference: Named | null): string => reference?.name ?? reference?.id ?? '';

const columns: readonly Column<Activity>[] = [
  {
    title: 'OCCURRED (UTC)',
    text: ({ occurredAt, dueOn }) => minute(occurredAt) || (dueOn === null ? '' : `due ${dueOn}`),
  },
  { title: 'KIND', text: ({ kind }) => kind },
  { title: 'STATUS', text: ({ status }) => status ?? '' },
  { title: 'SUBJECT', text: ({ subject }) => subject ?? '', flexible: true },
  { title: 'WHO', text: ({ who }) => named(who) },
  { title: 'ACCOUNT', text: ({ account }) => named(account) },
  { title: 'OWNER', text: ({ owner }) => named(owner) },
  { title: 'ID', text: ({ id }) => id },
];

export function activitiesVerb(): Command {
  const command = verb('activities', 'List activities: filtered, searched, sorted', [
    'activities --kind call --outcome answered --from 2026-01-01 --limit 5',
    'activities --text \'renewal -"auto reply"\' --not-selected --all --json',
  ]);
  return addFilterOptions(command)
    .addOption(new Option('--sort <field>', 'with a minus: greatest first').choices(sorts).default('-occurredAt'))
    .option('--limit <number>', `rows, up to ${mostRows}`, wholeNumber(1, mostRows), 20)
    .option('--all', 'all rows; with --json one a line')
    .option(tenantFlag, tenantText)
    .action((options: ActivitiesOptions) => list(options));
}

async function list(options: ActivitiesOptions): Promise<void> {
  const filter = filterOf(options);
  const { client, tenant } = await findService(cliConfig(), { tenant: options.tenant });
  const query = filterQuery(filter);
  query.set('sort', options.sort);
  query.set('limit', String(options.all ? mostRows : options.limit));
  const first = await page(client, query, null);
  if (options.json && !options.all) return printJson(first.body);
  if (options.json) return printAllJson(client, query, first);
  const { data, total, asOf } = first.body;
  if (data.length === 0) return print(await emptyText(client, tenant, filter !== null, asOf));

  const table = tableOf(columns, data, process.stdout.isTTY ? process.stdout.columns || 80 : null);
  print(table.head());
  let shown = 0;
  for await (const rows of options.all ? allPages(client, query, first.body) : [data]) {
    await write(rows.map((row) => `${table.row(row)}\n`).join(''));
    shown += rows.length;
  }
  // Not part of the table: whoever counts lines or cuts columns does not meet it.
  note(
    `${count(shown)} of ${count(total.value)}${total.exact ? '' : ' or more'} activities in ${tenant ?? "the token's tenant"}, ${asOfText(asOf)}`,
  );
}

const page = (client: Client, query: URLSearchParams, cursor: string | null): Promise<ApiAnswer<Page>> => {
  const asked = new URLSearchParams(query);
  if (cursor !== null) asked.set('cursor', cursor);
  return client.call<Page>('/api/v1/activities', { query: asked });
};

async function* allPages(client: Client, query: URLSearchParams, first: Page): AsyncGenerator<readonly Activity[]> {
  for (let current = first; ; ) {
    yield current.data;
    if (current.page.next === null) return;
    current = (await page(client, query, current.page.next)).body;
  }
}

async function printAllJson(client: Client, query: URLSearchParams, first: ApiAnswer<Page>): Promise<void> {
  for await (const rows of allPages(client, query, first.body))
    await write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

async function emptyText(
  client: Client,
  tenant: string | null,
  filtered: boolean,
  asOf: Page['asOf'],
): Promise<string> {
  const empty = !filtered || (await isEmpty(client));
  if (!empty) return `No activity matches, ${asOfText(asOf)}. Leave a filter out to see more.`;
  const lines = [
    `There are no activities in ${tenant === null ? "the token's tenant" : `the tenant "${tenant}"`}, ${asOfText(asOf)}.`,
  ];
  if (tenant === 'main')
    lines.push(
      '  Import yours:           cool-mint import Task.csv',
      '  Look at the demo data:  cool-mint activities --tenant demo',
    );
  return lines.join('\n');
}

async function isEmpty(client: Client): Promise<boolean> {
  try {
    return (await page(client, new URLSearchParams({ limit: '1' }), null)).body.total.value === 0;
  } catch (error) {
    if (error instanceof CliError) return false;
    throw error;
  }
}
