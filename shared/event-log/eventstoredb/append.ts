/** One append to one stream, with the result of the port. */
import { type JSONType, jsonEvent } from '@eventstore/db-client';
import { serialiseEvent, tooLarge } from '#shared/event-log/event-bytes.ts';
import { type AppendResult, type Expected, maxAppendBytes, type NewEvent } from '#shared/event-log/event-log.ts';
import type { Client } from '#shared/event-log/eventstoredb/client.ts';
import { failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { pageOfStream } from '#shared/event-log/eventstoredb/reads.ts';
import type { Position } from '#shared/event-log/position.ts';

const versionOf = (expected: Expected) => (expected === 'none' ? 'no_stream' : BigInt(expected));
const expectedOf = (version: unknown): Expected => (typeof version === 'bigint' ? Number(version) : 'none');

interface ServerEventInput {
  readonly id?: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
}

/** As the client answers; rejects as it does, or with LogUnavailable. */
export function sendAppend(
  client: Client,
  stream: string,
  expected: Expected,
  events: readonly ServerEventInput[],
  bytes: number,
) {
  const sent = events.map(({ id, type, data, metadata }) =>
    jsonEvent({ type, data: data as JSONType, metadata, ...(id === undefined ? {} : { id }) }),
  );
  return client.append(stream, bytes, () =>
    client.db.appendToStream(stream, sent, { expectedRevision: versionOf(expected), requiresLeader: true }),
  );
}

/** `position` makes a position of ours of the server's. Rejects with LogUnavailable where the outcome is unknown. */
export async function appendTo(
  client: Client,
  stream: string,
  expected: Expected,
  events: readonly NewEvent[],
  position: (numbers: { readonly commit: bigint; readonly prepare: bigint }) => Position,
): Promise<AppendResult> {
  if (events.length === 0)
    return { outcome: 'appended', revision: expected === 'none' ? -1 : expected, position: null };
  // The client would never settle on what is no JSON, so it is serialised here first.
  const serialised = events.map(serialiseEvent);
  const refusal = tooLarge(serialised);
  if (refusal) return refusal;
  const bytes = serialised.reduce((sum, event) => sum + event.bytes, 0);
  try {
    const answer = await sendAppend(client, stream, expected, events, bytes);
    const revision = Number(answer.nextExpectedRevision);
    const at = answer.position ?? (await pageOfStream(client, stream, revision, 1)).events[0]?.position;
    return { outcome: 'appended', revision, position: at ? position(at) : null };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === 'conflict')
      return {
        outcome: 'conflict',
        expected,
        actual: expectedOf((error as { actualVersion?: unknown }).actualVersion),
      };
    if (failure === 'too-large') return { outcome: 'too-large', bytes: maxAppendBytes + 1, limit: maxAppendBytes };
    throw error;
  }
}
