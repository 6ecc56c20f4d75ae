/** The id of a log: the first event of a stream of its own, written by whoever comes first. */
import { randomBytes } from 'node:crypto';
import type { Position } from '@eventstore/db-client';
import { z } from 'zod';
import { SetupError } from '#shared/errors/setup-error.ts';
import { sendAppend } from '#shared/event-log/eventstoredb/append.ts';
import type { Client } from '#shared/event-log/eventstoredb/client.ts';
import { failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { pageOfStream } from '#shared/event-log/eventstoredb/reads.ts';

const opened = z.object({ id: z.string().regex(/^[0-9a-f]{8}$/) });

export interface Identity {
  readonly id: string;
  /** Of the event that says it: nothing of ours is before. */
  readonly position: Position;
}

export async function identityOf(client: Client, prefix: string): Promise<Identity> {
  const stream = `${prefix}eventlog-identity`;
  const first = async () => (await pageOfStream(client, stream, 0, 1)).events[0];
  let found = await first();
  if (!found) {
    const event = { type: 'LogOpened', data: { id: randomBytes(4).toString('hex') } };
    await sendAppend(client, stream, 'none', [event], 0).catch((error: unknown) => {
      if (failureOf(error) !== 'conflict') throw error;
    });
    found = await first();
  }
  const read = opened.safeParse(found?.data);
  if (!found || !read.success)
    throw new SetupError(
      `EVENTSTORE_URL: the stream ${stream} on this server is not ours. Set EVENTSTORE_STREAM_PREFIX.`,
    );
  return { id: read.data.id, position: found.position };
}
