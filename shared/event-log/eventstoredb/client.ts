/**
 * The one client of the process, and its calls: each with a time-out of its own, bounded in flight, and repeated
 * unchanged while its outcome is unknown. The client 6.2.1 keeps pending appends in a variable of its module, so the
 * loss of one server would reject the appends to another: a second client is refused.
 */
import { EventStoreDBClient } from '@eventstore/db-client';
import { SetupError } from '#shared/errors/setup-error.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import type { ConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { type Expiry, expiry } from '#shared/event-log/eventstoredb/expiry.ts';
import { describeFailure, failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { inFlight } from '#shared/event-log/eventstoredb/in-flight.ts';
import { steadyClient } from '#shared/event-log/eventstoredb/steady-client.ts';
import { atMost } from '#shared/runtime/at-most.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** All on one stream of the connection; the best rate is between 64 and 256. */
const appendsInFlight = { calls: 256, bytes: 4 * 1024 * 1024 };
/** A stream each; a server allows 100 on one connection, and subscriptions need some. Pages have bounds of their own. */
const readsInFlight = { calls: 64, bytes: Number.POSITIVE_INFINITY };
/** One attempt takes one to two of these; a frozen server would else be given up by the keep-alive only (17.5 s). */
const periodMilliseconds = 3_000;
/** All attempts of one call. A server that restarts is back after 1.2 to 1.4 s. */
const patienceMilliseconds = 15_000;
const disposeMilliseconds = 2_000;

export interface Client {
  readonly db: EventStoreDBClient;
  /** Runs one append at a time of this stream, in the order of the callers, until it is answered. */
  append<T>(stream: string, bytes: number, attempt: () => Promise<T>): Promise<T>;
  /** Runs a read, which has a time-out of its own, until it is answered. */
  read<T>(attempt: (calls: Expiry) => Promise<T>): Promise<T>;
  /** Runs a read once; rejects as the client does. */
  readOnce<T>(attempt: (calls: Expiry) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

let inUse = false;

function create({ url }: ConnectionString): EventStoreDBClient {
  try {
    return EventStoreDBClient.connectionString(url);
  } catch (error) {
    // What parseConnectionString let pass: a file that is not there.
    throw new SetupError(`EVENTSTORE_URL cannot be used (is it tlsCAFile?): ${(error as Error).message}`);
  }
}

/** Opens no connection yet. Throws a SetupError where the process has a client already, or the string is no good. */
export function openClient(connection: ConnectionString, runtime: Runtime): Client {
  if (inUse)
    throw new SetupError(
      'EVENTSTORE_URL: this process is connected to an EventStoreDB already; one is all it can have.',
    );
  const db = create(connection);
  const closing = new AbortController();
  steadyClient(db, () => closing.signal.aborted);
  inUse = true;
  const appends = inFlight(appendsInFlight);
  const reads = inFlight(readsInFlight);
  const calls = expiry(runtime, periodMilliseconds);
  const lastOfStream = new Map<string, Promise<unknown>>();

  /** Patience begins when a call is made, not when it is its turn: behind calls that wait in vain it would never end. */
  const patience = () => runtime.now().getTime() + patienceMilliseconds;

  async function settled<T>(until: number, attempt: () => Promise<T>): Promise<T> {
    if (runtime.now().getTime() >= until)
      throw new LogUnavailable(`EventStoreDB at ${connection.place} does not answer: others waited for it in vain`);
    for (let attempts = 0; ; attempts++) {
      if (closing.signal.aborted) throw new LogUnavailable('the event log was closed');
      try {
        return await attempt();
      } catch (error) {
        const failure = failureOf(error);
        if (failure === 'denied')
          throw new LogUnavailable(`EventStoreDB at ${connection.place} refuses the credentials`, { cause: error });
        if (failure !== 'unknown') throw error;
        if (runtime.now().getTime() >= until)
          throw new LogUnavailable(`EventStoreDB at ${connection.place} does not answer: ${describeFailure(error)}`, {
            cause: error,
          });
        await backOff(runtime, attempts, { base: 50, cap: 2_000, signal: closing.signal });
      }
    }
  }

  return {
    db,
    async append(stream, bytes, attempt) {
      const before = lastOfStream.get(stream);
      const until = patience();
      const own = (async () => {
        await before?.catch(() => undefined);
        return appends.run(bytes, () => settled(until, () => calls.within(attempt())));
      })();
      lastOfStream.set(stream, own);
      try {
        return await own;
      } finally {
        if (lastOfStream.get(stream) === own) lastOfStream.delete(stream);
      }
    },
    read(attempt) {
      const until = patience();
      return reads.run(0, () => settled(until, () => attempt(calls)));
    },
    readOnce: (attempt) => attempt(calls),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      calls.close();
      await atMost(runtime, disposeMilliseconds, db.dispose(), undefined);
      inUse = false;
    },
  };
}
