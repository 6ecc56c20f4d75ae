import { Counter, Gauge, Histogram } from 'prom-client';
import type { RelayStatus } from '#projector/relay.ts';
import type { ProjectionStatus } from '#projector/run-projection.ts';
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
  batchSeconds: new Histogram({
    name: 'cool_mint_projection_batch_duration_seconds',
    help: 'Time of one transaction that applies events or moves checkpoints.',
    labelNames,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  }),
  delaySeconds: new Histogram({
    name: 'cool_mint_projection_delay_seconds',
    help: 'From the command to the view: age of the oldest event of each batch when it had been applied.',
    labelNames,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200],
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
    help: 'Events of the log that are not applied yet; those that no relay has counted are counted up to 1,000.',
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

const projectionStates = ['starting', 'running', 'standing', 'failing'] as const satisfies ProjectionStatus['state'][];
const relayStates = ['waiting', 'leading', 'failing'] as const satisfies RelayStatus['state'][];

/** What the loops of this process are at; asked when metrics are. */
export const loopStatus: {
  projections: ReadonlyMap<string, ProjectionStatus>;
  /** Null where this process has none. */
  relay: RelayStatus | null;
} = { projections: new Map(), relay: null };

new Gauge({
  name: 'cool_mint_projection_state',
  help: 'State of the loop of a projection (starting, running, standing: waits for its rebuild, failing): 1 for the one that it is in.',
  labelNames: ['projection', 'state'],
  registers,
  collect() {
    this.reset();
    for (const [projection, status] of loopStatus.projections)
      for (const state of projectionStates) this.set({ projection, state }, status.state === state ? 1 : 0);
  },
});

new Gauge({
  name: 'cool_mint_relay_state',
  help: 'State of the relay of this process (waiting: another one leads, leading, failing): 1 for the one that it is in. None without Kafka.',
  labelNames: ['state'],
  registers,
  collect() {
    this.reset();
    for (const state of loopStatus.relay ? relayStates : [])
      this.set({ state }, loopStatus.relay?.state === state ? 1 : 0);
  },
});

export const rebuildMetrics = {
  finished: new Counter({
    name: 'cool_mint_projection_rebuilds_total',
    help: 'Rebuilds, by outcome (completed, cancelled, failed: stopped with an error, and tried again).',
    labelNames: ['projection', 'outcome'],
    registers,
  }),
  events: new Gauge({
    name: 'cool_mint_projection_rebuild_events',
    help: 'Events that the rebuild under way has applied; none where there is none.',
    labelNames,
    registers,
  }),
};

/** A counter that appears with its first failure has no rate of it. */
export function startCounting(projection: string): void {
  const { events, duplicates, gaps, failures } = projectorMetrics;
  for (const counter of [events, duplicates, gaps, failures]) counter.inc({ projection }, 0);
  for (const outcome of ['completed', 'cancelled', 'failed']) rebuildMetrics.finished.inc({ projection, outcome }, 0);
}

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
// 0 would be a time: without a relay of its own a process has none to tell.
relayMetrics.position.remove();
