import type { DashboardSpec } from './dashboard.ts';
import { lines, stat } from './panel.ts';

export const sync: DashboardSpec = {
  name: 'sync',
  title: 'Sync',
  description: 'Records that come from source systems: imports and sync runs.',
  panels: [
    stat({
      title: 'Under way',
      description: 'Parts of sync runs that are being received.',
      queries: [{ expr: 'sum(cool_mint_sync_parts_under_way)', legend: 'parts' }],
      unit: 'short',
      width: 4,
    }),
    stat({
      title: 'Records today',
      description: 'Received within 24 hours.',
      queries: [{ expr: 'sum(increase(cool_mint_sync_records_total[24h]))', legend: 'records' }],
      unit: 'short',
      width: 5,
    }),
    stat({
      title: 'Rejected',
      description:
        'Share of the records of 24 hours that could not be taken. Good is less than 1 %; the reasons are at /api/v1/sync-runs/{id}/rejects.',
      queries: [
        {
          expr: 'sum(increase(cool_mint_sync_records_total{outcome="rejected"}[24h])) / (sum(increase(cool_mint_sync_records_total[24h])) > 0) or vector(0)',
          legend: 'rejected',
        },
      ],
      unit: 'percentunit',
      thresholds: { warn: 0.01, bad: 0.05 },
      width: 5,
    }),
    stat({
      title: 'Runs today',
      description: 'Within 24 hours, by what became of them. Good is as many completed as started, and none failed.',
      queries: [{ expr: 'sum by (outcome) (increase(cool_mint_sync_runs_total[24h]))', legend: '{{outcome}}' }],
      unit: 'short',
      width: 10,
    }),
    lines({
      title: 'Records by outcome',
      description: 'A second. "recorded" are new, "stale" are older than what is known.',
      queries: [
        {
          expr: 'sum by (outcome) (rate(cool_mint_sync_records_total[$__rate_interval]))',
          legend: '{{outcome}}',
        },
      ],
      unit: 'ops',
      stacked: true,
      width: 12,
    }),
    lines({
      title: 'Time of a batch',
      description: '500 records: read, decided on, appended. Good is less than 250 ms for half.',
      queries: [
        {
          expr: 'histogram_quantile(0.5, sum by (le) (rate(cool_mint_sync_batch_duration_seconds_bucket[$__rate_interval])))',
          legend: 'half',
        },
        {
          expr: 'histogram_quantile(0.99, sum by (le) (rate(cool_mint_sync_batch_duration_seconds_bucket[$__rate_interval])))',
          legend: '99 %',
        },
      ],
      unit: 's',
      thresholds: { warn: 1, bad: 5 },
      width: 12,
    }),
    lines({
      title: 'Slowed for the views',
      description:
        'Seconds a second that imports waited because views were too far behind. Near the number of parts under way, the projector is the limit.',
      queries: [{ expr: 'sum(rate(cool_mint_sync_wait_seconds_total[$__rate_interval]))', legend: 'waited' }],
      unit: 'short',
      width: 12,
    }),
    lines({
      title: 'Parts received',
      description: 'Time of a whole part, for half of them.',
      queries: [
        {
          expr: 'histogram_quantile(0.5, sum by (le) (rate(cool_mint_http_request_duration_seconds_bucket{route="/api/v1/sync-runs/:id/parts/:part"}[5m])))',
          legend: 'half',
        },
      ],
      unit: 's',
      width: 12,
    }),
  ],
};
