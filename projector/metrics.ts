import { Counter, Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const labelNames = ['projection'] as const;
const registers = [registry];

export const projectorMetrics = {
  events: new Counter({ name: 'cool_mint_projection_events_total', help: 'Events applied.', labelNames, registers }),
  duplicates: new Counter({
    name: 'cool_mint_projection_duplicates_total',
    help: 'Events that were delivered again and dropped.',
    labelNames,
    registers,
  }),
  gaps: new Counter({
    name: 'cool_mint_projection_gaps_total',
    help: 'Gaps in what was delivered, repaired from the log.',
    labelNames,
    registers,
  }),
  failures: new Counter({
    name: 'cool_mint_projection_failures_total',
    help: 'Times a projection stopped with an error.',
    labelNames,
    registers,
  }),
  checkpointTime: new Gauge({
    name: 'cool_mint_projection_checkpoint_timestamp_seconds',
    help: 'Time of the newest event applied, seconds of the epoch.',
    labelNames,
    registers,
  }),
  lagEvents: new Gauge({
    name: 'cool_mint_projection_lag_events',
    help: 'Events of the log that are not applied yet, counted up to 1,000.',
    labelNames,
    registers,
  }),
  lagSeconds: new Gauge({
    name: 'cool_mint_projection_lag_seconds',
    help: 'Age of the oldest event that is not applied yet.',
    labelNames,
    registers,
  }),
};

/** The relay sends the log to the topic; all of them together have one leader. */
export const relayMetrics = {
  sent: new Counter({ name: 'cool_mint_relay_events_total', help: 'Events sent and acknowledged.', registers }),
  failures: new Counter({
    name: 'cool_mint_relay_failures_total',
    help: 'Times the relay stopped with an error.',
    registers,
  }),
  position: new Gauge({
    name: 'cool_mint_relay_checkpoint_timestamp_seconds',
    help: 'Time of the newest event sent, seconds of the epoch.',
    registers,
  }),
};
