/** The reads of the adapter, each a page that is repeated until it is answered. A missing stream has no events. */
import { BACKWARDS, END, type Position } from '@eventstore/db-client';
import type { Client } from '#shared/event-log/eventstoredb/client.ts';
import { failureOf } from '#shared/event-log/eventstoredb/failure.ts';
import { readPage, type ServerEvent, type ServerPage } from '#shared/event-log/eventstoredb/read-page.ts';

/** Of event data in one page, about; at least one event comes whatever its size. */
const maxPageBytes = 4 * 1024 * 1024;
/** A read that a follower answered might not see what was just appended. */
const requiresLeader = true;

const nothing: ServerPage = { events: [], cut: false, bytes: 0 };

async function unlessMissing(read: Promise<ServerPage>): Promise<ServerPage> {
  try {
    return await read;
  } catch (error) {
    if (failureOf(error) === 'missing') return nothing;
    throw error;
  }
}

/** Events of a stream from a revision on. */
export const pageOfStream = ({ db, read }: Client, stream: string, from: number, maxCount: number) =>
  unlessMissing(
    read((calls) =>
      readPage(db.readStream(stream, { fromRevision: BigInt(from), maxCount, requiresLeader }), maxPageBytes, calls),
    ),
  );

export async function lastOfStream({ db, read }: Client, stream: string): Promise<ServerEvent | undefined> {
  const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1, requiresLeader } as const;
  const page = await unlessMissing(read((calls) => readPage(db.readStream(stream, options), maxPageBytes, calls)));
  return page.events[0];
}

/** Events of anyone, beginning with the one at the position. */
export const pageOfAll = ({ db, read }: Client, fromPosition: Position, maxCount: number) =>
  read((calls) => readPage(db.readAll({ fromPosition, maxCount, requiresLeader }), maxPageBytes, calls));

/** The last event of anyone; undefined in an empty log. */
export async function lastOfAll({ db, read }: Client): Promise<ServerEvent | undefined> {
  const options = { direction: BACKWARDS, fromPosition: END, maxCount: 1, requiresLeader } as const;
  const page = await read((calls) => readPage(db.readAll(options), maxPageBytes, calls));
  return page.events[0];
}
