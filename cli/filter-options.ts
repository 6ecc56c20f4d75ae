/** The filter of activities as options: the same for listing and for selecting. */
import { type Command, Option } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { collect, collectList, fromInstant, toInstant } from '#cli/verb.ts';
import { type ActivityFilter, activityFilter } from '#shared/activity-filter/activity-filter.ts';
import { activityKind, callDirection } from '#shared/events/activity.ts';

export interface FilterOptions {
  readonly kind?: readonly string[];
  readonly status?: readonly string[];
  readonly owner?: readonly string[];
  readonly account?: readonly string[];
  readonly contact?: readonly string[];
  readonly direction?: readonly string[];
  readonly outcome?: readonly string[];
  readonly priority?: readonly string[];
  readonly closed?: true;
  readonly open?: true;
  readonly from?: string;
  readonly to?: string;
  readonly text?: string;
  readonly selected?: true;
  readonly notSelected?: true;
  readonly in?: string;
}

export function addFilterOptions(command: Command): Command {
  const group = (option: Option) =>
    command.addOption(option.helpGroup('Filter (repeat an option for "or"; different options mean "and"):'));
  group(
    new Option('--kind <kind>', `${activityKind.options.join(', ')}; with commas for several`).argParser(collectList),
  );
  group(new Option('--status <status>', 'as the source says it').argParser(collect));
  group(new Option('--owner <id>', "the owner's id in the source").argParser(collectList));
  group(new Option('--account <id>', 'the account, also through opportunity, case or contact').argParser(collectList));
  group(new Option('--contact <id>', 'a contact or lead').argParser(collectList));
  group(new Option('--direction <direction>', callDirection.options.join(', ')).argParser(collectList));
  group(new Option('--outcome <outcome>', 'such as answered').argParser(collect));
  group(new Option('--priority <priority>', 'as the source says it').argParser(collect));
  group(new Option('--closed', 'only closed ones').conflicts('open'));
  group(new Option('--open', 'only open ones'));
  group(new Option('--from <when>', 'occurred on this day (UTC) or at this time, or later').argParser(fromInstant));
  group(
    new Option('--to <when>', 'occurred up to the end of this day (UTC), or before this time').argParser(toInstant),
  );
  group(new Option('--text <words>', 'words in subject and body; "a phrase", -without'));
  group(new Option('--selected', 'held by a selection that is not discarded').conflicts('notSelected'));
  group(new Option('--not-selected', 'held by none'));
  group(new Option('--in <selection>', 'held by this selection'));
  return command;
}

/** Null where no option of the filter was given. */
export function filterOf(options: FilterOptions): ActivityFilter | null {
  const { kind, status, owner, account, contact, direction, outcome, priority, from, to, text } = options;
  const asked = {
    kind,
    status,
    owner,
    account,
    contact,
    direction,
    outcome,
    priority,
    closed: options.closed ? true : options.open ? false : undefined,
    occurredAt: from || to ? { gte: from, lt: to } : undefined,
    selected: options.selected ? true : options.notSelected ? false : undefined,
    selection: options.in,
    text,
  };
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  if (given.length === 0) return null;
  const read = activityFilter.safeParse(Object.fromEntries(given));
  if (read.success) return read.data;
  const names: Readonly<Record<string, string>> = { selection: 'in' };
  const wrong = read.error.issues.map(
    (issue) => `--${names[String(issue.path[0])] ?? String(issue.path[0])}: ${issue.message}`,
  );
  throw new CliError(`${[...new Set(wrong)].join('; ')}.`);
}

/** The filter as query parameters. */
export function filterQuery(filter: ActivityFilter | null): URLSearchParams {
  const query = new URLSearchParams();
  for (const [field, value] of Object.entries(filter ?? {})) {
    if (Array.isArray(value)) for (const each of value) query.append(field, String(each));
    else if (typeof value === 'object' && value !== null)
      for (const [bound, limit] of Object.entries(value))
        if (limit !== undefined) query.append(`${field}[${bound}]`, String(limit));
    if (typeof value !== 'object' && value !== undefined) query.append(field, String(value));
  }
  return query;
}
