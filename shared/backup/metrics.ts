import { Counter, Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const registers = [registry];

/** Of a process that backs up again and again. */
export const backupMetrics = {
  time: new Gauge({
    name: 'cool_mint_backup_timestamp_seconds',
    help: 'Time of the newest complete backup in its place, seconds of the epoch; 0 where there is none.',
    registers,
  }),
  interval: new Gauge({
    name: 'cool_mint_backup_interval_seconds',
    help: 'How often this process backs up.',
    registers,
  }),
  failures: new Counter({
    name: 'cool_mint_backup_failures_total',
    help: 'Times a backup ended with an error; it is tried again.',
    registers,
  }),
};
// Whoever does not back up has none to tell.
backupMetrics.time.remove();
backupMetrics.interval.remove();
