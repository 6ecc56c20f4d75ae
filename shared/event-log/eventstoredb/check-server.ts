/** At start: asks the server one question, and turns what goes wrong into a message that says what to do. */
import { SetupError } from '#shared/errors/setup-error.ts';
import { tlsProblem } from '#shared/errors/tls-problem.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import type { Client } from '#shared/event-log/eventstoredb/client.ts';
import type { ConnectionString } from '#shared/event-log/eventstoredb/connection-string.ts';
import { describeFailure, failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { lastOfAll } from '#shared/event-log/eventstoredb/reads.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** A server that was just started, or whose cluster elects a leader, is asked so often: about ten seconds. */
const attemptsUntilReady = 12;
/** Any other failure may have been a moment's. */
const attempts = 3;

/** Rejects as the client does. */
export async function checkServer(client: Client, runtime: Runtime): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await lastOfAll({ ...client, read: client.readOnce });
      return;
    } catch (error) {
      const passing = /not ready/i.test(describeFailure(error)) || (error as { type?: string }).type === 'not-leader';
      if (failureOf(error) !== 'unknown' || attempt >= (passing ? attemptsUntilReady : attempts)) throw error;
      await backOff(runtime, attempt, { base: 50, cap: 2_000 });
    }
  }
}

/** What kept the log from being opened, for whoever set it up: names the setting and the place, never the credentials. */
export function setupError(error: unknown, connection: ConnectionString): unknown {
  if (error instanceof SetupError || error instanceof TypeError || error instanceof RangeError) return error;
  const cause = error instanceof LogUnavailable && error.cause ? error.cause : error;
  return new SetupError(
    `EVENTSTORE_URL: the EventStoreDB at ${connection.place} cannot be used: ${reason(cause, connection)}`,
  );
}

/** gRPC: the name or password is wrong; they are right, but may not do this. */
const unauthenticated = 16;

function reason(error: unknown, { tls, credentials }: ConnectionString): string {
  // The client wraps what happened in words of its own and a time.
  const text = describeFailure(error)
    .replace(/^.*Last error: /, '')
    .replace(/ \(\d{4}-.*$/s, '');
  const failure = failureOf(error);
  if (failure === 'denied') {
    if (!credentials) return 'it wants credentials. Put them into the URL (esdb://user:password@host:2113).';
    return (error as { code?: number }).code === unauthenticated
      ? 'it refuses the user or password. Correct them in the URL (esdb://user:password@host:2113).'
      : `it does not allow the user ${credentials.username} to read $all and to write. Give the user these rights, or name another in the URL.`;
  }
  if (failure === 'deleted')
    return 'the stream that identifies the log was deleted. Set EVENTSTORE_STREAM_PREFIX to begin another log.';
  if (tls && /wrong version number|EPROTO|ssl3_get_record|packet length/i.test(text))
    return 'it does not speak TLS. Add ?tls=false to the URL, or set up TLS on the server.';
  const certificate = tlsProblem(
    error,
    "Name the file of its authority's certificate in the URL: tlsCAFile=/path/to/ca.crt",
  );
  if (certificate) return certificate;
  // It took the connection and closed it: a refused one would say so.
  if (!tls && /^Failed to connect$|ECONNRESET|hang up|protocol error/i.test(text))
    return 'it hangs up. It probably wants TLS (leave tls=false out of the URL), or is no EventStoreDB.';
  return `it does not answer (${text}). Start it, or correct EVENTSTORE_URL, or leave it unset to keep the event log in Postgres.`;
}
