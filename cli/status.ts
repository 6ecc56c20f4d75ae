/** `cool-mint status`: whether it runs, and how up to date its projections are. */
import type { Command } from 'commander';
import { CliError } from '#cli/cli-error.ts';
import type { Client } from '#cli/client.ts';
import { cliConfig } from '#cli/config.ts';
import { findService } from '#cli/find-service.ts';
import { healthOf, type ProcessHealth } from '#cli/health.ts';
import { count, plain, print, printJson } from '#cli/output.ts';
import { type Column, tableOf } from '#cli/table.ts';
import { verb } from '#cli/verb.ts';
import { fractionOf } from '#shared/event-log/position.ts';

export interface ProjectionRow {
  readonly name: string;
  readonly generation: number;
  readonly checkpoint: { readonly position: string; readonly time: string | null };
  readonly lag: { readonly events: number; readonly exact: boolean; readonly seconds: number };
  readonly rebuild: { readonly generation: number; readonly position: string; readonly time: string | null } | null;
}

export function statusVerb(): Command {
  return verb('status', 'Whether the service runs, and how up to date its projections are', ['status']).action(
    (options: { json?: true }) => status(options),
  );
}

const columns: readonly Column<ProjectionRow>[] = [
  { title: 'PROJECTION', text: ({ name }) => name },
  { title: 'GENERATION', text: ({ generation }) => String(generation), right: true },
  { title: 'AS OF', text: ({ checkpoint }) => checkpoint.time ?? 'the beginning' },
  {
    title: 'BEHIND',
    text: ({ lag }) =>
      lag.events === 0 ? '-' : `${count(lag.events)}${lag.exact ? '' : '+'} events, ${lag.seconds.toFixed(1)} s`,
  },
  {
    title: 'REBUILD',
    text: ({ rebuild, checkpoint }) => (rebuild === null ? '-' : rebuildText(rebuild, checkpoint.position)),
  },
  { title: 'CHECKPOINT', text: ({ checkpoint }) => checkpoint.position },
];

function rebuildText({ generation, position }: NonNullable<ProjectionRow['rebuild']>, head: string): string {
  const fraction = fractionOf(position, head);
  return `generation ${generation}${fraction === null ? '' : `, ${Math.floor(fraction * 100)} %`}`;
}

async function status({ json }: { json?: true }): Promise<void> {
  const { client, adminUrls } = await findService(cliConfig());
  const { body } = await client.call<{ data: readonly ProjectionRow[] }>('/api/v1/projections');
  const version = await versionOf(client);
  const processes = await healthOf(adminUrls, '/health/ready');
  const waiting = processes.filter(({ ok }) => !ok);
  if (json)
    printJson({
      url: client.url,
      version,
      ready: processes.length === 0 ? null : waiting.length === 0,
      processes: processes.map(({ url, ok, said }) => ({ adminUrl: url, ready: ok, readiness: said })),
      projections: body.data,
    });
  else {
    print(
      `${client.url}  version ${version ?? 'unknown'}${processes.length === 0 ? '' : `  ${waiting.length === 0 ? 'ready' : 'not ready'}`}`,
    );
    const table = tableOf(columns, body.data, null);
    print(table.head());
    for (const row of body.data) print(table.row(row));
  }
  if (waiting.length > 0)
    throw new CliError(`The service is not ready. See its log.\n${waiting.map(lineOf).join('\n')}`);
}

const lineOf = ({ url, said }: ProcessHealth): string =>
  `  ${url}: ${plain(typeof said === 'string' ? said : JSON.stringify(said))}`;

async function versionOf(client: Client): Promise<string | null> {
  try {
    return (await client.call<{ info?: { version?: string } }>('/api/openapi.json')).body.info?.version ?? null;
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}
