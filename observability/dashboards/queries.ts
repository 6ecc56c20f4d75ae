import type { DashboardSpec } from './dashboard.ts';
import { heading, lines, stat } from './panel.ts';

const requests = 'cool_mint_http_request_duration_seconds';

export const queries: DashboardSpec = {
  name: 'queries',
  title: 'Queries and caches',
  description: 'What is read, how long it takes, how often a cache knows the answer.',
  panels: [
    lines({
      title: 'Requests by route',
      description: 'Of the query service, a second.',
      queries: [
        {
          expr: `sum by (route) (rate(${requests}_count{job="query-service"}[$__rate_interval]))`,
          legend: '{{route}}',
        },
      ],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Time of a request',
      description:
        'Of the query service, with what it waits for. Good is less than 100 ms for 95 %, a second for 99 %. Points lead to traces.',
      queries: [
        {
          expr: `histogram_quantile(0.5, sum by (le) (rate(${requests}_bucket{job="query-service"}[$__rate_interval])))`,
          legend: 'half',
        },
        {
          expr: `histogram_quantile(0.95, sum by (le) (rate(${requests}_bucket{job="query-service"}[$__rate_interval])))`,
          legend: '95 %',
          exemplars: true,
        },
        { expr: 'job:cool_mint_http_request_duration_seconds:p99_5m{job="query-service"}', legend: '99 % (5 minutes)' },
      ],
      unit: 's',
      thresholds: { warn: 0.5, bad: 1 },
      width: 8,
    }),
    lines({
      title: 'Answers by status',
      description: 'Of the query service, a second. 304 are answers that the caller had already. Good is no 5xx.',
      queries: [
        {
          expr: `sum by (status) (rate(${requests}_count{job="query-service"}[$__rate_interval]))`,
          legend: '{{status}}',
        },
      ],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Time in the database',
      description: 'Of one query, at the 99th percentile, without what it waited for. Good is less than 100 ms.',
      queries: [
        {
          expr: 'histogram_quantile(0.99, sum by (projection, le) (rate(cool_mint_query_duration_seconds_bucket[$__rate_interval])))',
          legend: '{{projection}}',
        },
      ],
      unit: 's',
      thresholds: { warn: 0.5, bad: 1 },
      width: 8,
    }),
    lines({
      title: 'Waiting for an own write',
      description:
        'How long queries waited for the position that they demanded, at the 99th percentile. Good is about 50 ms.',
      queries: [
        {
          expr: 'histogram_quantile(0.99, sum by (projection, le) (rate(cool_mint_query_demand_wait_seconds_bucket[$__rate_interval])))',
          legend: '{{projection}}',
        },
      ],
      unit: 's',
      thresholds: { warn: 1, bad: 5 },
      width: 8,
    }),
    lines({
      title: 'Demands that were not met',
      description: 'A second: the caller was told that the view is behind. Good is none.',
      queries: [
        {
          expr: 'sum by (projection, result) (rate(cool_mint_query_demand_wait_seconds_count[$__rate_interval]))',
          legend: '{{projection}} {{result}}',
        },
      ],
      unit: 'reqps',
      width: 8,
    }),
    heading('Caches'),
    stat({
      title: 'Hits',
      description:
        'Share of cacheable questions that had been answered before. What is good depends on what is asked; 0 with traffic is a sign.',
      queries: [{ expr: 'projection:cool_mint_cache_hits:ratio_rate5m', legend: '{{projection}}' }],
      unit: 'percentunit',
      width: 4,
    }),
    stat({
      title: 'Redis',
      description: 'Its circuit breaker: 0 in use (or there is none), 1 being tried, 2 away. Good is 0.',
      queries: [{ expr: 'max(cool_mint_redis_breaker_state)', legend: 'breaker' }],
      unit: 'short',
      thresholds: { warn: 1, bad: 2 },
      width: 4,
    }),
    lines({
      title: 'Levels',
      description:
        'Answers asked of memory and of Redis, a second. "unavailable": Redis did not answer in time. "made ready": computed before anybody asked, because they are asked for often.',
      queries: [
        {
          expr: 'sum by (level, result) (rate(cool_mint_cache_answers_total[$__rate_interval]))',
          legend: '{{level}} {{result}}',
        },
        { expr: 'sum(rate(cool_mint_cache_warmed_total[$__rate_interval]))', legend: 'made ready' },
      ],
      unit: 'ops',
      stacked: true,
      width: 8,
    }),
    lines({
      title: 'Redis commands that failed',
      description: 'A second, by reason. Good is none.',
      queries: [
        { expr: 'sum by (reason) (rate(cool_mint_redis_failures_total[$__rate_interval]))', legend: '{{reason}}' },
      ],
      unit: 'ops',
      width: 8,
    }),
    heading('What is under way'),
    lines({
      title: 'Requests and exports',
      description: 'Not answered to their end. Good is few; a line that only rises is a leak.',
      queries: [
        { expr: 'sum by (job) (cool_mint_http_requests_under_way)', legend: 'requests {{job}}' },
        { expr: 'sum by (job) (cool_mint_exports_under_way)', legend: 'exports {{job}}' },
      ],
      unit: 'short',
      width: 12,
    }),
    lines({
      title: 'Connections of the read model',
      description: 'In use, by process, and how many there may be.',
      queries: [
        {
          expr: 'cool_mint_database_connections{pool="read-model", state="active"}',
          legend: '{{job}} {{instance}}',
        },
        { expr: 'max by (job) (cool_mint_database_connections_limit{pool="read-model"})', legend: 'limit {{job}}' },
      ],
      unit: 'short',
      width: 12,
    }),
  ],
};
