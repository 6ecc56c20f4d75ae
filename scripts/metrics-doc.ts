/** docs/metrics.md, made of the metrics that a process with every role has. */
import '#cli/start/start-service.ts';
import '#shared/backup/metrics.ts';
import type { MetricObject } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

/** What the types of the client do not tell: each metric knows its labels. */
type Registered = MetricObject & { readonly labelNames: readonly string[] };

const typeNames: Readonly<Record<string, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
};

const ours = 'cool_mint_';

/** Our own, by name. */
export const productMetrics = (): readonly Registered[] =>
  (registry.getMetricsAsArray() as unknown as Registered[])
    .filter(({ name }) => name.startsWith(ours))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** In the order in which they are told; each metric fits the first that its name fits. */
const groups: readonly (readonly [title: string, pattern: RegExp])[] = [
  ['HTTP', /^cool_mint_(http|exports)_/],
  ['Commands', /^cool_mint_(command|planned)_/],
  ['The event log', /^cool_mint_event_log_/],
  ['Projections', /^cool_mint_projection_/],
  ['Relay and Kafka', /^cool_mint_(relay|kafka)_/],
  ['Queries and caches', /^cool_mint_(query|cache|redis)_/],
  ['Sync', /^cool_mint_sync_/],
  ['Backup', /^cool_mint_backup_/],
  ['The process', /^cool_mint_/],
];

function rowOf({ name, type, labelNames, help }: Registered): string {
  const labels = labelNames.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${typeNames[String(type)]} | ${labels} | ${help.replaceAll('|', '\\|')} |`;
}

export function metricsDoc(): string {
  const left = new Set(productMetrics());
  const tables = groups.map(([title, pattern]) => {
    const own = [...left].filter(({ name }) => pattern.test(name));
    for (const metric of own) left.delete(metric);
    return `## ${title}\n\n| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n${own.map(rowOf).join('\n')}`;
  });
  return `# Metrics

Generated from the registry by \`npm run docs\`; do not edit. What to watch, and how: [monitoring.md](monitoring.md).

Every process serves them at \`/metrics\` on \`ADMIN_PORT\`, in the format OpenMetrics. Each has those of what it does. Times are in seconds, sizes in bytes. Labels
have few values: routes are patterns, and neither ids nor tenants are labels. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.

Those of Node and of the process (\`nodejs_…\`, \`process_…\`) are [prom-client's](https://github.com/siimon/prom-client#default-metrics).

${tables.join('\n\n')}
`;
}

export const metricsDocFile = new URL('../docs/metrics.md', import.meta.url);
