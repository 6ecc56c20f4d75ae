/** An event log whose appends are measured, whatever it is kept in. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { EventLog } from '#shared/event-log/event-log.ts';
import { registry } from '#shared/telemetry/registry.ts';

const registers = [registry];

const appendSeconds = new Histogram({
  name: 'cool_mint_event_log_append_duration_seconds',
  help: 'Time of one append to the event log, of one stream or many; also of those that failed.',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  registers,
});
const appends = new Counter({
  name: 'cool_mint_event_log_appends_total',
  help: 'Streams that were appended to, by outcome (appended, conflict, too-large, failed: whether it was is unknown).',
  labelNames: ['outcome'],
  registers,
});
const appendedEvents = new Counter({
  name: 'cool_mint_event_log_events_total',
  help: 'Events that this process appended.',
  registers,
});
/** Without a value until there was one: 0 would be a time, too. */
const newestAppend = new Gauge({
  name: 'cool_mint_event_log_append_timestamp_seconds',
  help: 'Time of the newest event that this process appended, seconds of the epoch; compared with those of checkpoints it says what has not arrived there.',
  registers,
});
newestAppend.remove();

// A counter that appears with its first failure has no rate of it.
for (const outcome of ['appended', 'conflict', 'too-large', 'failed']) appends.inc({ outcome }, 0);

export function measuredEventLog(log: EventLog): EventLog {
  let newest = '';
  return {
    ...log,
    async append(asked) {
      const ended = appendSeconds.startTimer();
      try {
        const results = await log.append(asked);
        results.forEach(({ outcome }, index) => {
          appends.inc({ outcome });
          const events = asked[index]?.events ?? [];
          if (outcome !== 'appended') return;
          appendedEvents.inc(events.length);
          for (const { metadata } of events) if (metadata.recordedAt > newest) newest = metadata.recordedAt;
        });
        if (newest) newestAppend.set(Date.parse(newest) / 1000);
        return results;
      } catch (error) {
        appends.inc({ outcome: 'failed' }, asked.length);
        throw error;
      } finally {
        ended();
      }
    },
  };
}
