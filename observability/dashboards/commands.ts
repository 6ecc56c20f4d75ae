import type { DashboardSpec } from './dashboard.ts';
import { heading, lines, stat } from './panel.ts';

const quantile = (q: number, metric: string, by: string) =>
  `histogram_quantile(${q}, sum by (${by}le) (rate(${metric}_bucket[$__rate_interval])))`;

export const commands: DashboardSpec = {
  name: 'commands',
  title: 'Commands',
  description: 'What is asked to be recorded, what becomes of it, and the log that it is appended to.',
  panels: [
    lines({
      title: 'Commands by outcome',
      description:
        'A second. "repeated" answers as the first time, "already" had nothing to add, "refused" is an answer, too. Good is no "failed".',
      queries: [
        {
          expr: 'sum by (outcome) (rate(cool_mint_command_duration_seconds_count[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      unit: 'ops',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Commands by what they are about',
      description: 'A second, by category of the stream that is changed.',
      queries: [
        {
          expr: 'sum by (category) (rate(cool_mint_command_duration_seconds_count[$__rate_interval]))',
          legend: '{{category}}',
        },
      ],
      unit: 'ops',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Time of a command',
      description:
        'From loading the stream to the answer. Good is less than 100 ms at the 99th percentile; large selections take longer.',
      queries: [
        { expr: quantile(0.5, 'cool_mint_command_duration_seconds', ''), legend: 'half' },
        { expr: quantile(0.95, 'cool_mint_command_duration_seconds', ''), legend: '95 %' },
        { expr: quantile(0.99, 'cool_mint_command_duration_seconds', ''), legend: '99 %' },
      ],
      unit: 's',
      thresholds: { warn: 0.5, bad: 1 },
      width: 8,
    }),
    lines({
      title: 'Decided again',
      description:
        'Times a second that a command met another one on its stream. Good is few; a command that meets 20 is refused.',
      queries: [
        {
          expr: 'sum by (category) (rate(cool_mint_command_conflicts_total[$__rate_interval]))',
          legend: '{{category}}',
        },
      ],
      unit: 'ops',
      width: 8,
    }),
    lines({
      title: 'Problems by code',
      description:
        'Requests a second that were answered with a problem, of all services. docs/api.md says what each means.',
      queries: [{ expr: 'sum by (code) (rate(cool_mint_http_problems_total[$__rate_interval]))', legend: '{{code}}' }],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Slowest routes',
      description:
        'Of requests that change something, at the 99th percentile. Parts of imports last as long as they are large. Points lead to traces.',
      queries: [
        {
          expr: 'topk(8, histogram_quantile(0.99, sum by (method, route, le) (rate(cool_mint_http_request_duration_seconds_bucket{job="command-service"}[$__rate_interval]))) > 0)',
          legend: '{{method}} {{route}}',
          exemplars: true,
        },
      ],
      unit: 's',
      width: 8,
    }),
    heading('The event log'),
    lines({
      title: 'Appends by outcome',
      description:
        'Streams a second. A conflict is decided again. Good is no "failed": nobody knows whether those were recorded.',
      queries: [
        {
          expr: 'sum by (outcome) (rate(cool_mint_event_log_appends_total[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      unit: 'ops',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Time of an append',
      description: 'One call of one stream or many. Good is less than 50 ms at the 99th percentile.',
      queries: [
        { expr: quantile(0.5, 'cool_mint_event_log_append_duration_seconds', ''), legend: 'half' },
        { expr: 'cool_mint_event_log_append_duration_seconds:p99_5m', legend: '99 % (5 minutes)' },
      ],
      unit: 's',
      thresholds: { warn: 0.1, bad: 0.5 },
      width: 8,
    }),
    stat({
      title: 'Planned appends',
      description: 'Appends too large for one call that wait to be completed. Good is none, but for moments.',
      queries: [{ expr: 'max(cool_mint_planned_appends)', legend: 'waiting' }],
      unit: 'short',
      thresholds: { warn: 1, bad: 10 },
      width: 4,
    }),
    stat({
      title: 'Oldest of them',
      description: 'Good is seconds.',
      queries: [{ expr: 'max(cool_mint_planned_append_age_seconds)', legend: 'age' }],
      unit: 's',
      thresholds: { warn: 30, bad: 120 },
      width: 4,
    }),
    heading('Postgres'),
    lines({
      title: 'Connections in use',
      description: 'Of the pool "main" of each process. Good is less than its limit.',
      queries: [
        {
          expr: 'cool_mint_database_connections{pool="main", state="active"}',
          legend: '{{job}} {{instance}}',
        },
        { expr: 'max by (job) (cool_mint_database_connections_limit{pool="main"})', legend: 'limit {{job}}' },
      ],
      unit: 'short',
      width: 12,
    }),
    lines({
      title: 'Waiting for a connection',
      description: 'Work that waits, of all pools. Good is none, but for moments.',
      queries: [
        {
          expr: 'cool_mint_database_connections{state="waiting"}',
          legend: '{{job}} {{instance}} {{pool}}',
        },
      ],
      unit: 'short',
      thresholds: { warn: 1, bad: 10 },
      width: 12,
    }),
  ],
};
