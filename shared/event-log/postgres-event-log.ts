/**
 * The event log in Postgres. Appends of many callers are sent as one call of `event_log.append` (group commit: one
 * commit for 100 events is about 20 times the rate of one commit each), which takes one lock for all writers.
 *
 * State: a queue of stream appends, and at most one call under way. A second append to a stream that is already in
 * the call waits for the next one, so callers on one stream are judged in the order they came.
 */
import { trace } from '@opentelemetry/api';
import type { Pool } from 'pg';
import { appendSignal } from '#shared/event-log/append-signal.ts';
import { type SerialisedEvent, serialiseEvent, tooLarge } from '#shared/event-log/event-bytes.ts';
import {
  type AppendResult,
  type EventLog,
  LogUnavailable,
  ofThisLog,
  type RecordedEvent,
  type StreamAppend,
} from '#shared/event-log/event-log.ts';
import { numbersOf, type Position, positionOf } from '#shared/event-log/position.ts';
import { subscribeByPages } from '#shared/event-log/subscribe-by-pages.ts';
import { listen } from '#shared/postgres/listen.ts';
import { isTransient } from '#shared/postgres/transient-error.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { inSpan } from '#shared/telemetry/span.ts';

/** Of event data in one page; at least one event comes whatever its size. */
const maxPageBytes = 4 * 1024 * 1024;
const maxCallStreams = 2_000;
const maxCallBytes = 8 * 1024 * 1024;
/** With the back-off below: a server that restarts within about five seconds is ridden out. */
const attempts = 8;

interface Pending {
  readonly stream: string;
  readonly expected: number;
  readonly events: readonly SerialisedEvent[];
  readonly bytes: number;
  settle(result: AppendResult): void;
  fail(error: Error): void;
}

interface EventRow {
  position: string;
  stream: string;
  revision: string;
  id: string;
  type: string;
  data: string;
  metadata: string;
}

const eventColumns = 'position, stream, revision, id, type, data::text as data, metadata::text as metadata';

export async function postgresEventLog(options: {
  readonly pool: Pool;
  /** For LISTEN; must be a session, not a transaction pooler. Null: nobody waits for what is appended, so nothing listens. */
  readonly directUrl: string | null;
  readonly runtime?: Runtime;
}): Promise<EventLog> {
  const { pool } = options;
  const runtime = options.runtime ?? systemRuntime;
  const identity = await pool.query<{ id: string }>('select id from event_log.log');
  const id = identity.rows[0]?.id;
  if (!id) throw new LogUnavailable('the event log has no identity; run the migrations');
  const start = positionOf(id, 0);
  const signal = appendSignal(runtime);
  const listener = options.directUrl ? listen(options.directUrl, 'event_log', () => signal.notify(), runtime) : null;

  const queue: Pending[] = [];
  let sending = false;

  function takeCall(): Pending[] {
    const call: Pending[] = [];
    const streams = new Set<string>();
    let bytes = 0;
    let kept = 0;
    for (let index = 0; index < queue.length; index++) {
      const next = queue[index] as Pending;
      const full = call.length >= maxCallStreams || (call.length > 0 && bytes + next.bytes > maxCallBytes);
      if (full || streams.has(next.stream)) {
        // What is kept blocks later appends to its stream, so that the order of callers holds.
        streams.add(next.stream);
        queue[kept++] = next;
        continue;
      }
      streams.add(next.stream);
      bytes += next.bytes;
      call.push(next);
    }
    queue.length = kept;
    return call;
  }

  async function send(call: readonly Pending[]): Promise<void> {
    const events = call.flatMap((pending, index) => pending.events.map((event) => ({ event, entry: index + 1 })));
    const values = [
      call.map((pending) => pending.stream),
      call.map((pending) => pending.expected),
      events.map(({ entry }) => entry),
      events.map(({ event }) => event.id),
      events.map(({ event }) => event.type),
      events.map(({ event }) => event.tenant),
      events.map(({ event }) => event.recordedAt),
      events.map(({ event }) => event.data),
      events.map(({ event }) => event.metadata),
    ];
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await pool.query<{ entry: number; outcome: string; revision: string; position: string | null }>(
          'select entry, outcome, revision, "position" from event_log.append($1, $2, $3, $4, $5, $6, $7, $8, $9)',
          values,
        );
        for (const row of answer.rows) {
          const pending = call[row.entry - 1] as Pending;
          const revision = Number(row.revision);
          pending.settle(
            row.outcome === 'appended'
              ? { outcome: 'appended', revision, position: positionOf(id as string, BigInt(row.position as string)) }
              : { outcome: 'conflict', expected: expectation(pending.expected), actual: expectation(revision) },
          );
        }
        return;
      } catch (error) {
        // Sent again unchanged: what was stored answers as the first time.
        if (!isTransient(error)) throw error;
        if (attempt + 1 >= attempts)
          throw new LogUnavailable(`the event log in Postgres does not answer: ${(error as Error).message}`, {
            cause: error,
          });
        await backOff(runtime, attempt, { base: 50, cap: 2_000 });
      }
    }
  }

  async function drain(): Promise<void> {
    if (sending) return;
    sending = true;
    try {
      while (queue.length > 0) {
        const call = takeCall();
        try {
          await send(call);
        } catch (error) {
          for (const pending of call) pending.fail(error as Error);
        }
      }
    } finally {
      sending = false;
    }
  }

  function appendOne({ stream, expected, events }: StreamAppend): Promise<AppendResult> {
    const before = expected === 'none' ? -1 : expected;
    if (events.length === 0) return Promise.resolve({ outcome: 'appended', revision: before, position: null });
    const serialised = events.map(serialiseEvent);
    const refusal = tooLarge(serialised);
    if (refusal) return Promise.resolve(refusal);
    return new Promise((settle, fail) => {
      const bytes = serialised.reduce((sum, event) => sum + event.bytes, 0);
      queue.push({ stream, expected: before, events: serialised, bytes, settle, fail });
    });
  }

  const recorded = (row: EventRow): RecordedEvent => ({
    id: row.id,
    type: row.type,
    stream: row.stream,
    revision: Number(row.revision),
    position: positionOf(id, BigInt(row.position)),
    data: JSON.parse(row.data),
    metadata: JSON.parse(row.metadata),
  });

  const log: EventLog = {
    id,
    start,

    append(appends) {
      return inSpan('event-log append', { 'event_log.streams': appends.length }, async () => {
        const answers = appends.map(appendOne);
        queueMicrotask(() => void drain());
        const results = await Promise.all(answers);
        trace
          .getActiveSpan()
          ?.setAttribute('event_log.conflicts', results.filter((result) => result.outcome !== 'appended').length);
        return results;
      });
    },

    async *readStream(tenant, stream, from = 0) {
      const pageSize = 200;
      for (let next = from; ; ) {
        const page = await pool.query<EventRow>(
          `select ${eventColumns} from event_log.events
           where stream = $1 and revision >= $2 and tenant = $3 order by revision limit $4`,
          [stream, next, tenant, pageSize],
        );
        for (const row of page.rows) yield recorded(row);
        if (page.rows.length < pageSize) return;
        next += pageSize;
      }
    },

    async readLast(tenant, streams) {
      const answer = await pool.query<EventRow>(
        `select ${eventColumns} from unnest($1::text[]) as wanted (name)
         cross join lateral (
           select * from event_log.events where stream = wanted.name order by revision desc limit 1
         ) last
         where tenant = $2`,
        [streams, tenant],
      );
      return new Map(answer.rows.map((row) => [row.stream, recorded(row)]));
    },

    async readAll(after, limit) {
      // Sized by the database, before anything is sent: 500 events of the largest size would be 250 MB.
      const answer = await pool.query<EventRow & { found: string }>(
        `select ${eventColumns}, found from (
           select e.*, count(*) over () as found,
                  sum(octet_length(e.data::text)) over (order by e.position) - octet_length(e.data::text) as bytes_before
           from (select * from event_log.events where position > $1 order by position limit $2) e
         ) page
         where bytes_before < $3 order by position`,
        [String(numbersOf(ofThisLog(id, after))[0]), limit, maxPageBytes],
      );
      const events = answer.rows.map(recorded);
      const found = Number(answer.rows[0]?.found ?? 0);
      return { events, position: events.at(-1)?.position ?? after, end: events.length === found && found < limit };
    },

    async readAt(position) {
      const answer = await pool.query<EventRow>(`select ${eventColumns} from event_log.events where position = $1`, [
        String(numbersOf(ofThisLog(id, position))[0]),
      ]);
      const row = answer.rows[0];
      return row ? recorded(row) : null;
    },

    subscribe: (after: Position, stop: AbortSignal) => subscribeByPages(log, after, stop, signal.waiter),

    async head() {
      const answer = await pool.query<{ position: string }>(
        'select coalesce(max(position), 0) as position from event_log.events',
      );
      return positionOf(id, BigInt(answer.rows[0]?.position ?? 0));
    },

    async close() {
      await listener?.close();
    },
  };
  return log;
}

const expectation = (revision: number) => (revision === -1 ? 'none' : revision);
