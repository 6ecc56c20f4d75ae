import { Counter, Gauge, Histogram } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const registers = [registry];

export const commandMetrics = {
  seconds: new Histogram({
    name: 'cool_mint_command_duration_seconds',
    help: 'Time of a command from loading its stream to its answer, by category of the stream and outcome (recorded, repeated, already, refused, failed).',
    labelNames: ['category', 'outcome'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  }),
  conflicts: new Counter({
    name: 'cool_mint_command_conflicts_total',
    help: 'Times a command was decided again, because another one had changed its stream meanwhile.',
    labelNames: ['category'],
    registers,
  }),
  plans: new Gauge({
    name: 'cool_mint_planned_appends',
    help: 'Appends too large for one call that are written down and not completed yet.',
    registers,
  }),
  oldestPlan: new Gauge({
    name: 'cool_mint_planned_append_age_seconds',
    help: 'Age of the oldest planned append; 0 where there is none.',
    registers,
  }),
};

// A counter that appears with its first conflict has no rate of it.
for (const category of ['syncrun', 'selection', 'projection']) commandMetrics.conflicts.inc({ category }, 0);
