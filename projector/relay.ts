/**
 * The relay: reads the log in order and sends it to the topic. One leads, by a lease; the others wait. Its checkpoint
 * moves after the acknowledgement, so a crash, or two leaders for a moment, only repeat the same records.
 *
 * A leader sends pages of the log as they come and, every second, a watermark to each partition, so that receivers know
 * how far the log was sent and that the relay lives: with the events of that moment, or alone; one send after another. It
 * stops leading when the lease cannot be renewed. Beside the sends goes what events need not wait for: the lease, the
 * checkpoint, new partitions.
 */
import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { relayMetrics } from '#projector/metrics.ts';
import { storeInBackground } from '#projector/relay-checkpoint.ts';
import { addWatermarks, type Page, pageOf } from '#projector/relay-records.ts';
import {
  acquireRelay,
  evenly,
  firstRelayPosition,
  type RelayState,
  relayLeaseSeconds,
  releaseRelay,
  renewRelay,
} from '#projector/relay-state.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { logIdOf, type Position } from '#shared/event-log/position.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { inSpan, traceparentsOf } from '#shared/telemetry/span.ts';
import type { Publisher } from '#shared/transport/kafka/publisher.ts';
import { allSlots } from '#shared/transport/slot.ts';

export interface RelayParts {
  readonly pool: Pool;
  readonly log: EventLog;
  readonly publisher: Publisher;
  readonly logger: Logger;
  readonly runtime: Runtime;
  /** Awaited before each send; tests delay the relay with it. */
  readonly pace?: () => Promise<void>;
}

export interface RelayStatus {
  state: 'waiting' | 'leading' | 'failing';
  error: string | null;
  tickedAt: number;
}

/** Another one leads now. */
class LeadershipLost extends Error {}

const watermarkMilliseconds = 1_000;
const refreshMilliseconds = 2_000;

export async function runRelay(parts: RelayParts, status: RelayStatus, signal: AbortSignal): Promise<void> {
  const { pool, runtime, logger } = parts;
  const owner = randomUUID();
  for (let failures = 0; !signal.aborted; ) {
    status.tickedAt = runtime.now().getTime();
    let epoch: number | null = null;
    try {
      const state = await acquireRelay(pool, owner);
      if (!state) {
        status.state = 'waiting';
        status.error = null;
        await runtime.sleep(500, signal);
        continue;
      }
      epoch = state.epoch;
      logger.info({ epoch }, 'this relay leads');
      await lead(parts, owner, state, status, signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof LeadershipLost) logger.warn({ epoch }, 'another relay leads');
      else {
        status.state = 'failing';
        status.error = (error as Error).message;
        relayMetrics.failures.inc();
        logger.error({ error: status.error }, 'the relay stopped; it is tried again');
        await backOff(runtime, failures++, { base: 100, cap: 2_000, signal });
      }
    } finally {
      if (epoch !== null) await releaseRelay(pool, owner, epoch).catch(() => undefined);
    }
  }
}

/** Where to begin: the checkpoint; the earliest of the live views where there is none; the start of a log that was exchanged. */
async function beginning(parts: RelayParts, state: RelayState): Promise<RelayState> {
  const { log, pool } = parts;
  if (state.position !== null && logIdOf(state.position) === log.id) return state;
  const first = state.position === null ? await firstRelayPosition(pool) : null;
  const position = first !== null && logIdOf(first) === log.id ? first : log.start;
  return { ...state, position, time: null, previous: evenly(position), ordinals: allSlots.map(() => 0) };
}

async function lead(
  parts: RelayParts,
  owner: string,
  acquired: RelayState,
  status: RelayStatus,
  signal: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  const { pool, log, publisher, runtime } = parts;
  const lost = new AbortController();
  const stop = AbortSignal.any([signal, lost.signal]);
  const lose = (error: Error | null) => lost.abort(error ?? new LeadershipLost());
  const inTurn = oneAfterAnother();
  const every = async (milliseconds: number, work: () => Promise<void>) => {
    while (!stop.aborted) {
      await runtime.sleep(milliseconds, stop);
      if (!stop.aborted) await work();
    }
  };
  const beside = [
    every((relayLeaseSeconds * 1000) / 3, async () => {
      // A database that does not answer is treated like a lost lease: in time somebody else has it.
      if (!(await renewRelay(pool, owner, acquired.epoch).catch(() => false))) lose(null);
    }),
    // A broker that does not answer is noticed by sending.
    every(refreshMilliseconds, () => publisher.refresh().then(undefined, () => undefined)),
  ];
  const checkpoint = storeInBackground(pool, lose);
  try {
    let state = await beginning(parts, acquired);
    await publisher.refresh();
    let markedAt = 0;
    /** Sends what there is, and with it, when it is time, how far the log was sent. */
    const send = (events: readonly RecordedEvent[], due = watermarkMilliseconds) =>
      inTurn(async () => {
        const now = runtime.now().getTime();
        const page = pageOf(state, events, publisher.partitions);
        const marked = now - markedAt >= due;
        if (marked) addWatermarks(page.records, page.state, publisher.partitions);
        if (page.records.size === 0) return;
        await sendPage(parts, page, events);
        if (events.length > 0) state = page.state;
        if (marked) markedAt = now;
        // Only now: something was acknowledged.
        status.state = 'leading';
        status.error = null;
        succeeded();
      });
    await send([]);
    // A little earlier than due, where nothing else was sent.
    beside.push(every(watermarkMilliseconds / 4, () => send([], watermarkMilliseconds * 0.8).catch(lose)));
    for await (const message of log.subscribe(state.position as Position, stop)) {
      status.tickedAt = runtime.now().getTime();
      const before = state;
      if (message.kind === 'events' && message.events.length > 0) await send(message.events);
      if (message.position > (state.position as Position)) state = { ...state, position: message.position };
      if (state !== before) checkpoint.store(state);
      if (state.time !== null) relayMetrics.position.set(Date.parse(state.time) / 1000);
    }
    lost.signal.throwIfAborted();
  } finally {
    lost.abort();
    await Promise.all([...beside, checkpoint.stored()]);
  }
}

/** Does one thing after another, in the order they were asked for; one that fails does not keep the next from its turn. */
function oneAfterAnother(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const own = last.then(work, work);
    last = own;
    return own;
  };
}

async function sendPage(
  { publisher, pace }: RelayParts,
  { records }: Page,
  events: readonly RecordedEvent[],
): Promise<void> {
  if (events.length === 0) return publisher.publish(records);
  await pace?.();
  await inSpan('relay send', { 'relay.events': events.length }, () => publisher.publish(records), {
    traceparents: traceparentsOf(events),
  });
  relayMetrics.sent.inc(events.length);
}
