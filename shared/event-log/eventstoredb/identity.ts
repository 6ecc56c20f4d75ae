/** The id of a log: the first event of a stream of its own, written by whoever comes first. */
import { randomBytes } from 'node:crypto';
import type { Position } from '@eventstore/db-client';
import { z } from 'zod';
import { SetupError } from '#shared/errors/setup-error.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import { sendAppend } from '#shared/event-log/eventstoredb/append.ts';
import type { Client } from '#shared/event-log/eventstoredb/client.ts';
import { failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { pageOfStream } from '#shared/event-log/eventstoredb/reads.ts';

const streamOf = (prefix: string) => `${prefix}eventlog-identity`;
const opened = z.object({ id: z.string().regex(/^[0-9a-f]{8}$/) });

export interface Identity {
  readonly id: string;
  /** Of the event that says it: nothing of ours is before. */
  readonly position: Position;
}

/** Null where there is none yet; writes nothing. */
export async function findIdentity(client: Client, prefix: string): Promise<Identity | null> {
  const stream = streamOf(prefix);
  const found = (await pageOfStream(client, stream, 0, 1)).events[0];
  if (!found) return null;
  const read = opened.safeParse(found.data);
  if (!read.success)
    throw new SetupError(
      `EVENTSTORE_URL: the stream ${stream} on this server is not ours. Set EVENTSTORE_STREAM_PREFIX.`,
    );
  return { id: read.data.id, position: found.position };
}

export async function identityOf(client: Client, prefix: string): Promise<Identity> {
  const stands = await findIdentity(client, prefix);
  if (stands) return stands;
  const event = { type: 'LogOpened', data: { id: randomBytes(4).toString('hex') } };
  await sendAppend(client, streamOf(prefix), 'none', [event], 0).catch((error: unknown) => {
    if (failureOf(error) !== 'conflict') throw error;
  });
  const made = await findIdentity(client, prefix);
  if (!made) throw new LogUnavailable(`the stream ${streamOf(prefix)} was written, and cannot be read`);
  return made;
}
