import type { DashboardSpec } from './dashboard.ts';
import { heading, lines, logs, stat, table } from './panel.ts';

const ours = 'job=~"command-service|query-service|projector"';

export const health: DashboardSpec = {
  name: 'health',
  title: 'Is it healthy?',
  description: 'Green above: all is well. What is not has an alert, and the alert a runbook in docs/operations.',
  panels: [
    stat({
      title: 'Alerts',
      description: 'Alerts that fire. Good is none; each is explained in docs/operations.',
      queries: [{ expr: 'count(ALERTS{alertstate="firing"}) or vector(0)', legend: 'firing' }],
      unit: 'short',
      thresholds: { warn: 1, bad: 2 },
      width: 3,
    }),
    stat({
      title: 'Instances',
      description: 'Instances of each service that answer Prometheus. Good is as many as you run, and never none.',
      queries: [{ expr: `sum by (job) (up{${ours}})`, legend: '{{job}}' }],
      unit: 'short',
      thresholds: { warn: 1, bad: 0.5 },
      width: 6,
    }),
    stat({
      title: 'Errors',
      description: 'Share of requests that were answered with a 5xx, of the worst service. Good is less than 2 %.',
      queries: [
        {
          expr: 'max(job:cool_mint_http_errors:rate5m / (job:cool_mint_http_requests:rate5m > 0)) or vector(0)',
          legend: 'errors',
        },
      ],
      unit: 'percentunit',
      thresholds: { warn: 0.005, bad: 0.02 },
      width: 3,
    }),
    stat({
      title: 'Slowest in a hundred',
      description: 'Time of a request at the 99th percentile, of the slowest service. Good is less than a second.',
      queries: [{ expr: 'max(job:cool_mint_http_request_duration_seconds:p99_5m > 0)', legend: 'p99' }],
      unit: 's',
      thresholds: { warn: 0.5, bad: 1 },
      width: 3,
    }),
    stat({
      title: 'Views behind',
      description:
        'How much older the newest event of a view is than the newest that was appended. Good is less than a second; during large imports less than a minute.',
      queries: [{ expr: 'max(projection:cool_mint_projection_behind_seconds:max)', legend: 'behind' }],
      unit: 's',
      thresholds: { warn: 30, bad: 60 },
      width: 3,
    }),
    stat({
      title: 'Memory',
      description: 'Resident memory of the largest process. Limits are 768 MB; the heap is bounded by 320 MB.',
      queries: [{ expr: `max(process_resident_memory_bytes{${ours}})`, legend: 'memory' }],
      unit: 'bytes',
      thresholds: { warn: 600e6, bad: 720e6 },
      width: 3,
    }),
    stat({
      title: 'Disk free',
      description:
        'Of the fullest file system of the machine. Good is more than 15 %; empty without the profile machine.',
      queries: [{ expr: 'min(instance:node_filesystem_free:ratio)', legend: 'free' }],
      unit: 'percentunit',
      thresholds: { warn: 0.15, bad: 0.05 },
      width: 3,
    }),
    table({
      title: 'Alerts, firing and about to',
      description: 'Each is explained in docs/operations, in the file of its name. Good is an empty table.',
      queries: [{ expr: 'ALERTS{alertstate=~"firing|pending"}' }],
      unit: 'none',
      hide: ['__name__'],
      width: 24,
    }),
    heading('What it does'),
    lines({
      title: 'Requests',
      description: 'Answered requests a second, by service.',
      queries: [{ expr: 'job:cool_mint_http_requests:rate5m', legend: '{{job}}' }],
      unit: 'reqps',
      width: 8,
    }),
    lines({
      title: 'Errors',
      description: 'Answers with a 5xx a second, by service. Good is none.',
      queries: [{ expr: 'job:cool_mint_http_errors:rate5m', legend: '{{job}}' }],
      unit: 'reqps',
      width: 8,
    }),
    lines({
      title: 'Events appended',
      description: 'Events a second that were recorded: by commands, imports and rebuilds.',
      queries: [{ expr: 'sum by (job) (rate(cool_mint_event_log_events_total[$__rate_interval]))', legend: '{{job}}' }],
      unit: 'ops',
      width: 8,
    }),
    lines({
      title: 'Views behind the log',
      description:
        'From the writers and the readers together, so that it also rises where a reader is dead. Good is less than a second.',
      queries: [{ expr: 'projection:cool_mint_projection_behind_seconds:max', legend: '{{projection}}' }],
      unit: 's',
      thresholds: { warn: 30, bad: 60 },
      width: 8,
    }),
    lines({
      title: 'Processors used',
      description: 'By process. One process uses one processor at most, and a bit.',
      queries: [{ expr: `rate(process_cpu_seconds_total{${ours}}[$__rate_interval])`, legend: '{{job}} {{instance}}' }],
      unit: 'percentunit',
      thresholds: { warn: 0.8, bad: 1 },
      width: 8,
    }),
    lines({
      title: 'Event loop',
      description: 'How late timers come at the 99th percentile. Good is less than 50 ms; 250 ms hold all requests up.',
      queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${ours}}`, legend: '{{job}} {{instance}}' }],
      unit: 's',
      thresholds: { warn: 0.1, bad: 0.25 },
      width: 8,
    }),
    lines({
      title: 'Memory',
      description: 'Resident memory by process. Good is level, after a rise at the start.',
      queries: [{ expr: `process_resident_memory_bytes{${ours}}`, legend: '{{job}} {{instance}}' }],
      unit: 'bytes',
      width: 8,
    }),
    lines({
      title: 'Disk free',
      description: 'By file system. Good is more than 15 %.',
      queries: [{ expr: 'instance:node_filesystem_free:ratio', legend: '{{instance}} {{mountpoint}}' }],
      unit: 'percentunit',
      width: 8,
    }),
    table({
      title: 'Versions',
      description: 'Which version runs how often. Good is one; two while an upgrade is under way.',
      queries: [{ expr: 'count by (job, version) (cool_mint_build_info)' }],
      unit: 'none',
      hide: [],
      width: 8,
    }),
    lines({
      title: 'Gateway',
      description:
        'Requests a second that reached it, and connections that it has open. Good is as many as you know of.',
      queries: [
        { expr: 'sum(rate(nginx_http_requests_total[$__rate_interval]))', legend: 'requests' },
        { expr: 'sum(nginx_connections_active)', legend: 'connections' },
      ],
      unit: 'short',
      width: 8,
    }),
    lines({
      title: 'Newest backup',
      description: 'Its age. Good is less than the time between two; empty where nothing backs up (docs/backup.md).',
      queries: [
        { expr: 'time() - max(cool_mint_backup_timestamp_seconds)', legend: 'age' },
        { expr: 'max(cool_mint_backup_interval_seconds)', legend: 'between two' },
      ],
      unit: 's',
      width: 8,
    }),
    lines({
      title: 'Backups that failed',
      description: 'In an hour. Each is tried again. Good is none.',
      queries: [{ expr: 'sum(increase(cool_mint_backup_failures_total[1h]))', legend: 'failed' }],
      unit: 'short',
      width: 8,
    }),
    logs({
      title: 'Errors in the logs',
      description:
        'What the services logged as an error, or that ended them. Good is nothing. A line leads to its trace.',
      expr: '{service_name=~"cool-mint-(command-service|query-service|projector)-.*"} | severity_text=~"error|fatal"',
    }),
    logs({
      title: 'Errors of the gateway',
      description:
        'Requests that it answered with a 5xx, of a service or of its own (a service is away). Good is nothing.',
      expr: '{service_name=~"cool-mint-gateway-[0-9]+"} | json | status >= 500',
    }),
  ],
};
