import type { DashboardSpec } from './dashboard.ts';
import { heading, lines, states } from './panel.ts';

const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (projection, le) (rate(${metric}_bucket[$__rate_interval])))`;

export const projections: DashboardSpec = {
  name: 'projections',
  title: 'Projections and lag',
  description: 'How the log becomes views: how far they are behind, and what happens on the way.',
  panels: [
    lines({
      title: 'Behind, seen from both sides',
      description:
        'How much older the newest event of a view is than the newest that was appended. It rises also where the projector is dead. Good is less than a second.',
      queries: [{ expr: 'projection:cool_mint_projection_behind_seconds:max', legend: '{{projection}}' }],
      unit: 's',
      thresholds: { warn: 30, bad: 60 },
      width: 8,
    }),
    lines({
      title: 'Lag, as projectors say',
      description:
        'Age of the oldest event that is not applied. Good is 0; it says nothing where the projector is dead.',
      queries: [{ expr: 'projection:cool_mint_projection_lag_seconds:max', legend: '{{projection}}' }],
      unit: 's',
      thresholds: { warn: 10, bad: 30 },
      width: 8,
    }),
    lines({
      title: 'Lag in events',
      description: 'Events that are not applied, counted up to 1,000. Good is few.',
      queries: [{ expr: 'max by (projection) (cool_mint_projection_lag_events)', legend: '{{projection}}' }],
      unit: 'short',
      width: 8,
    }),
    lines({
      title: 'From the command to the view',
      description:
        'Age of the oldest event of each batch when it had been applied. Good is about 30 ms for half, 50 ms for 99 %.',
      queries: [
        { expr: quantile(0.5, 'cool_mint_projection_delay_seconds'), legend: '{{projection}} half' },
        { expr: quantile(0.99, 'cool_mint_projection_delay_seconds'), legend: '{{projection}} 99 %' },
      ],
      unit: 's',
      width: 8,
    }),
    lines({
      title: 'Events applied',
      description: 'A second, by view.',
      queries: [
        {
          expr: 'sum by (projection) (rate(cool_mint_projection_events_total[$__rate_interval]))',
          legend: '{{projection}}',
        },
      ],
      unit: 'ops',
      width: 8,
    }),
    lines({
      title: 'Time of a batch',
      description: 'One transaction, at the 99th percentile. Good is less than 100 ms; large imports take longer.',
      queries: [{ expr: quantile(0.99, 'cool_mint_projection_batch_duration_seconds'), legend: '{{projection}}' }],
      unit: 's',
      thresholds: { warn: 1, bad: 5 },
      width: 8,
    }),
    states({
      title: 'State of each projection',
      description: 'Good is green. Orange waits for the rebuild of its version, red is failing and tried again.',
      queries: [
        {
          expr: 'max by (projection) (cool_mint_projection_state{state="standing"}) + 2 * max by (projection) (cool_mint_projection_state{state="failing"})',
          legend: '{{projection}}',
        },
      ],
      unit: 'short',
      thresholds: { warn: 1, bad: 2 },
      width: 12,
    }),
    lines({
      title: 'Duplicates, gaps, errors',
      description: 'In 5 minutes. Duplicates are dropped, and come after restarts. Good is no gaps and no errors.',
      queries: [
        {
          expr: 'sum by (projection) (increase(cool_mint_projection_duplicates_total[5m]))',
          legend: 'duplicates {{projection}}',
        },
        { expr: 'sum by (projection) (increase(cool_mint_projection_gaps_total[5m]))', legend: 'gaps {{projection}}' },
        {
          expr: 'sum by (projection) (increase(cool_mint_projection_failures_total[5m]))',
          legend: 'errors {{projection}}',
        },
      ],
      unit: 'short',
      width: 12,
    }),
    heading('Rebuilds'),
    lines({
      title: 'Rebuild under way',
      description: 'Events that it has applied; nothing where there is none.',
      queries: [{ expr: 'max by (projection) (cool_mint_projection_rebuild_events)', legend: '{{projection}}' }],
      unit: 'short',
      width: 12,
    }),
    lines({
      title: 'Rebuilds',
      description: 'In an hour, by outcome. "failed" is tried again. Good is no "failed".',
      queries: [
        {
          expr: 'sum by (projection, outcome) (increase(cool_mint_projection_rebuilds_total[1h]))',
          legend: '{{projection}} {{outcome}}',
        },
      ],
      unit: 'short',
      width: 12,
    }),
    heading('Relay and Kafka (empty where projections read the log itself)'),
    lines({
      title: 'Relay behind',
      description:
        'How much older the newest event that was sent is than the newest that was appended. Good is less than a second.',
      queries: [{ expr: 'cool_mint_relay_behind_seconds:max', legend: 'behind' }],
      unit: 's',
      thresholds: { warn: 30, bad: 60 },
      width: 8,
    }),
    lines({
      title: 'Events sent',
      description: 'A second, acknowledged by Kafka.',
      queries: [{ expr: 'sum(rate(cool_mint_relay_events_total[$__rate_interval]))', legend: 'sent' }],
      unit: 'ops',
      width: 8,
    }),
    lines({
      title: 'Relay stopped',
      description: 'Times in 5 minutes that a relay stopped with an error. Good is none.',
      queries: [{ expr: 'sum by (instance) (increase(cool_mint_relay_failures_total[5m]))', legend: '{{instance}}' }],
      unit: 'short',
      width: 8,
    }),
    lines({
      title: 'Who leads',
      description: 'Good is one at any time; the others wait.',
      queries: [{ expr: 'cool_mint_relay_state{state="leading"}', legend: '{{instance}}' }],
      unit: 'short',
      stacked: true,
      width: 12,
    }),
    lines({
      title: 'Records that were not taken',
      description:
        'In 5 minutes. "foreign" are not ours or damaged; "loser" are repetitions by a relay that had lost its lease, and harmless.',
      queries: [
        { expr: 'sum by (reader) (increase(cool_mint_kafka_foreign_records_total[5m]))', legend: 'foreign {{reader}}' },
        { expr: 'sum by (reader) (increase(cool_mint_kafka_loser_records_total[5m]))', legend: 'loser {{reader}}' },
      ],
      unit: 'short',
      width: 12,
    }),
  ],
};
