import { Counter, Gauge, Histogram } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const registers = [registry];

export const syncMetrics = {
  runs: new Counter({
    name: 'cool_mint_sync_runs_total',
    help: 'Sync runs, by what became of them (started, completed, cancelled, failed).',
    labelNames: ['outcome'],
    registers,
  }),
  records: new Counter({
    name: 'cool_mint_sync_records_total',
    help: 'Records of source systems, by what became of them (recorded, revised, unchanged, stale, deleted, rejected).',
    labelNames: ['outcome'],
    registers,
  }),
  partsUnderWay: new Gauge({
    name: 'cool_mint_sync_parts_under_way',
    help: 'Parts of sync runs that are being received.',
    registers,
  }),
  batchSeconds: new Histogram({
    name: 'cool_mint_sync_batch_duration_seconds',
    help: 'Time to decide on and append one batch of records.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  }),
  waitSeconds: new Counter({
    name: 'cool_mint_sync_wait_seconds_total',
    help: 'Time for which imports were slowed because the views were too far behind.',
    registers,
  }),
};

// A counter that appears with its first failure has no rate of it.
for (const outcome of ['started', 'completed', 'cancelled', 'failed']) syncMetrics.runs.inc({ outcome }, 0);
for (const outcome of ['recorded', 'revised', 'unchanged', 'stale', 'deleted', 'rejected'])
  syncMetrics.records.inc({ outcome }, 0);
