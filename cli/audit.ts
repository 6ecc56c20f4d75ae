/** `cool-mint audit`: who did what, when, from where. */
import { type Command, Option } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import { cliConfig } from '#cli/config.ts';
import { findService } from '#cli/find-service.ts';
import { asOfText, bytes, count, note, plain, print, printJson } from '#cli/output.ts';
import { saveDownload } from '#cli/save-download.ts';
import { shorten } from '#cli/table.ts';
import { collectList, fromInstant, tenantFlag, tenantText, toInstant, verb, wholeNumber } from '#cli/verb.ts';
import { eventDefinitions } from '#shared/events/event.ts';

interface AuditOptions {
  readonly actor?: string;
  readonly action?: readonly string[];
  readonly entity?: string;
  readonly from?: string;
  readonly to?: string;
  readonly correlation?: string;
  readonly allEvents?: true;
  readonly limit: number;
  readonly export?: 'ndjson' | 'csv';
  readonly out: string;
  readonly tenant?: string;
  readonly json?: true;
}

export interface AuditLine {
  readonly action: string;
  readonly entity: { readonly category: string; readonly id: string };
  readonly at: string;
  readonly actor: { readonly id: string; readonly name: string | null };
  readonly from: { readonly address: string | null; readonly userAgent: string | null };
  readonly summary: Readonly<Record<string, unknown>>;
}

interface Page {
  readonly data: readonly AuditLine[];
  readonly total: { readonly value: number; readonly exact: boolean };
  readonly asOf: { readonly time: string | null };
}

export function auditVerb(): Command {
  return verb('audit', "The audit trail, newest first: people's decisions, or every event", [
    'audit --action SelectionFrozen,SelectionExported',
    'audit --entity selection-0193b2c4-… --all-events',
    'audit --from 2026-01-01 --export csv --out audit.csv',
  ])
    .option('--actor <id>', 'who')
    .option('--action <types>', 'types of events, such as SelectionFrozen; with commas for several', collectList)
    .option('--entity <id>', 'about what: selection-<id>, activity-<id>, syncrun-<id>')
    .option('--from <when>', 'on this day (UTC) or at this time, or later', fromInstant)
    .option('--to <when>', 'up to the end of this day (UTC), or before this time', toInstant)
    .option('--correlation <id>', 'the request id of an answer or a problem')
    .option('--all-events', 'what followed from decisions, too')
    .option('--limit <number>', 'lines, up to 200', wholeNumber(1, 200), 20)
    .addOption(new Option('--export <format>', 'everything that matches, first to last').choices(['ndjson', 'csv']))
    .option('--out <file>', 'of --export; - is standard output', '-')
    .option(tenantFlag, tenantText)
    .action((options: AuditOptions) => audit(options));
}

export function auditQuery({
  actor,
  action,
  entity,
  from,
  to,
  correlation,
  allEvents,
}: Omit<AuditOptions, 'limit' | 'out'>): URLSearchParams {
  const unknown = action?.filter((each) => !Object.hasOwn(eventDefinitions, each)) ?? [];
  if (unknown.length > 0)
    throw new CliError(
      `--action: there is no event ${unknown.join(', ')}. There are: ${Object.keys(eventDefinitions).join(', ')}.`,
    );
  if (entity !== undefined && !/^[a-z]+-[\w-]{1,80}$/.test(entity))
    throw new CliError(`--entity: expected what the id is of, and the id, such as selection-${entity}.`);
  const query = new URLSearchParams();
  if (actor !== undefined) query.set('actor', actor);
  for (const each of action ?? []) query.append('action', each);
  if (entity !== undefined) query.set('entity', entity);
  if (from !== undefined) query.set('at[gte]', from);
  if (to !== undefined) query.set('at[lt]', to);
  if (correlation !== undefined) query.set('correlationId', correlation);
  if (allEvents) query.set('events', 'all');
  return query;
}

async function audit(options: AuditOptions): Promise<void> {
  const query = auditQuery(options);
  if (options.export !== undefined) return exportAudit(query, options.export, options);
  if (options.out !== '-') throw new CliError('--out belongs to --export: say --export ndjson or --export csv.');
  const { client, tenant } = await findService(cliConfig(), { tenant: options.tenant });
  query.set('limit', String(options.limit));
  const { body } = await client.call<Page>('/api/v1/audit', { query });
  if (options.json) return printJson(body);
  for (const entry of body.data) print(auditText(entry));
  const { value, exact } = body.total;
  const shown =
    body.data.length === 0
      ? 'Nothing matches'
      : `${count(body.data.length)} of ${count(value)}${exact ? '' : ' or more'}`;
  note(`${shown} in the audit trail of ${tenant ?? "the token's tenant"}, ${asOfText(body.asOf)}`);
}

async function exportAudit(
  query: URLSearchParams,
  format: 'ndjson' | 'csv',
  { out, tenant, json }: AuditOptions,
): Promise<void> {
  if (json && out === '-')
    throw new CliError('With --json the trail needs a file: --out audit.ndjson. Or leave --json out.');
  const { client } = await findService(cliConfig(), { tenant });
  query.set('format', format);
  const saved = await saveDownload(await client.download('/api/v1/audit/export', { query }), out);
  if (json) printJson({ format, ...saved });
  else if (saved.file !== null) note(`Wrote ${saved.file}, ${bytes(saved.bytes)}.`);
}

/** When, who, from where, what, about what, facts. */
export function auditText({ at, actor, from, action, entity, summary }: AuditLine): string {
  const who = actor.name === null || actor.name === actor.id ? actor.id : `${actor.id} (${actor.name})`;
  const where =
    [from.address, from.userAgent === null ? null : shorten(from.userAgent, 24)].filter(Boolean).join(' ') || '-';
  const facts = Object.entries(summary).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [`${name}=${factText(value)}`],
  );
  return plain(
    [at.replace('T', ' '), who, where, action, `${entity.category}-${entity.id}`, facts.join(' ')].join('  '),
  ).trimEnd();
}

const longestFact = 72;

function factText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  if (typeof value === 'string')
    return /\s|^$/.test(value) ? JSON.stringify(shorten(value, longestFact)) : shorten(value, longestFact);
  return shorten(JSON.stringify(value), longestFact);
}
