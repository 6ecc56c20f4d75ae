/**
 * The event log in EventStoreDB. Ours are the events of our categories (behind the prefix of this installation) that
 * carry a schemaVersion; the server's own and other people's are skipped, and only move the position on.
 *
 * Only positions that the server gave are used, commit and prepare. Reads are pages; a subscription only wakes.
 */
import { streamNameFilter } from '@eventstore/db-client';
import { type EventLog, ofThisLog, type RecordedEvent } from '#shared/event-log/event-log.ts';
import { appendTo } from '#shared/event-log/eventstoredb/append.ts';
import { checkServer, setupError } from '#shared/event-log/eventstoredb/check-server.ts';
import { type Client, openClient } from '#shared/event-log/eventstoredb/client.ts';
import { parseConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { findIdentity, type Identity, identityOf } from '#shared/event-log/eventstoredb/identity.ts';
import { ownEvent } from '#shared/event-log/eventstoredb/own-event.ts';
import type { ServerEvent } from '#shared/event-log/eventstoredb/read-page.ts';
import { lastOfAll, lastOfStream, pageOfAll, pageOfStream } from '#shared/event-log/eventstoredb/reads.ts';
import { sharedTail } from '#shared/event-log/eventstoredb/shared-tail.ts';
import { wakeUp } from '#shared/event-log/eventstoredb/wake-up.ts';
import { numbersOf, type Position, positionOf } from '#shared/event-log/position.ts';
import { subscribeByPages } from '#shared/event-log/subscribe-by-pages.ts';
import { categories } from '#shared/events/stream-name.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { within } from '#shared/runtime/within.ts';
import { inSpan } from '#shared/telemetry/span.ts';

const streamPage = 500;
const versionMilliseconds = 2_000;

export interface EventStoreLogOptions {
  /** EVENTSTORE_URL. */
  readonly url: string;
  /** Before the names of all streams, so that several installations share one server. */
  readonly prefix?: string;
  readonly runtime?: Runtime;
}

/** Rejects with a SetupError that says what to do where the server cannot be used. */
export function eventStoreLog(options: EventStoreLogOptions): Promise<EventLog> {
  return open(options, async (client, prefix, runtime) =>
    logOf(client, await identityOf(client, prefix), prefix, runtime),
  );
}

/**
 * For looking only: writes nothing. Null where there is no log of ours behind the prefix yet. Rejects with a SetupError
 * like the other one.
 */
export function existingEventStoreLog(
  options: EventStoreLogOptions,
): Promise<{ readonly log: EventLog; readonly serverVersion: string } | null> {
  return open(options, async (client, prefix, runtime) => {
    const identity = await findIdentity(client, prefix);
    if (identity) return { log: logOf(client, identity, prefix, runtime), serverVersion: await versionOf(client) };
    await client.close();
    return null;
  });
}

async function open<T>(
  { url, prefix = '', runtime = systemRuntime }: EventStoreLogOptions,
  use: (client: Client, prefix: string, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const connection = parseConnectionString(url);
  const client = openClient(connection, runtime);
  try {
    await checkServer(client, runtime);
    return await use(client, prefix, runtime);
  } catch (error) {
    await client.close();
    throw setupError(error, connection);
  }
}

/** What the client asks the server for by itself, and keeps; the version of the client is pinned for it. */
async function versionOf({ db }: Client): Promise<string> {
  const asked = (db as unknown as { readonly capabilities: Promise<{ readonly serverVersion: string }> }).capabilities;
  return (await within(versionMilliseconds, asked)).serverVersion;
}

function logOf(client: Client, { id, position: opened }: Identity, prefix: string, runtime: Runtime): EventLog {
  const positionHere = ({ commit, prepare }: ServerEvent['position']) => positionOf(id, commit, prepare);
  const serverPosition = (position: Position) => {
    const [commit = 0n, prepare = 0n] = numbersOf(ofThisLog(id, position));
    return { commit, prepare };
  };
  const own = (events: readonly ServerEvent[]): RecordedEvent[] =>
    events.flatMap((event) => ownEvent(event, prefix, positionHere) ?? []);

  const prefixes = categories.map((category) => `${prefix}${category}-`);
  const wake = wakeUp(
    (after) =>
      client.db.subscribeToAll({
        fromPosition: serverPosition(after),
        filter: streamNameFilter({ prefixes }),
        requiresLeader: true,
      }),
    runtime,
  );

  const log: EventLog = {
    id,
    start: positionHere(opened),

    append(appends) {
      return inSpan('event-log append', { 'event_log.streams': appends.length }, async (span) => {
        const answers = await Promise.allSettled(
          appends.map(({ stream, expected, events }) =>
            appendTo(client, `${prefix}${stream}`, expected, events, positionHere),
          ),
        );
        // Also where some failed: what was stored is waited for.
        wake.notify();
        const results = answers.map((answer) => {
          if (answer.status === 'rejected') throw answer.reason;
          return answer.value;
        });
        span.setAttribute('event_log.conflicts', results.filter(({ outcome }) => outcome !== 'appended').length);
        return results;
      });
    },

    async *readStream(tenant, stream, first = 0) {
      for (let next = first; ; ) {
        const { events, cut } = await pageOfStream(client, `${prefix}${stream}`, next, streamPage);
        for (const event of own(events)) if (event.metadata.tenant === tenant) yield event;
        const last = events.at(-1);
        if (!last || (!cut && events.length < streamPage)) return;
        next = Number(last.revision) + 1;
      }
    },

    async readLast(tenant, streams) {
      const found = await Promise.all(streams.map((stream) => lastOfStream(client, `${prefix}${stream}`)));
      const last = own(found.filter((event) => event !== undefined));
      return new Map(last.filter(({ metadata }) => metadata.tenant === tenant).map((event) => [event.stream, event]));
    },

    readAll: sharedTail(async (after, limit) => {
      // The server's page begins with the event at the position itself, if it is still there.
      const maxCount = limit + 1;
      const { events, cut, bytes } = await pageOfAll(client, serverPosition(after), maxCount);
      const beyond = events.filter(({ position }) => positionHere(position) > after).slice(0, limit);
      const last = beyond.at(-1);
      return {
        events: own(beyond),
        position: last ? positionHere(last.position) : after,
        end: !cut && events.length < maxCount,
        bytes,
      };
    }),

    async readAt(position) {
      const [event] = own((await pageOfAll(client, serverPosition(position), 1)).events);
      return event?.position === position ? event : null;
    },

    subscribe: (after, stop) => subscribeByPages(log, after, stop, wake.waiter),

    async head() {
      const last = await lastOfAll(client);
      return positionHere(last?.position ?? opened);
    },

    async close() {
      wake.close();
      await client.close();
    },
  };
  return log;
}
