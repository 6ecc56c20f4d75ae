/**
 * The double's log on disk. Commits that come while others are being synced wait, and are written and synced together.
 * A line is one commit, so that one which was cut off by the death of the process is wholly there or not at all.
 */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { streams } from './protobuf.ts';
import { type Commit, createReplica, createStore, type Store, type StoreOptions } from './store.ts';
import type { StoredEvent } from './stored-event.ts';

/** A log on disk, as the calls of a server need it. */
export interface JournalledStore {
  /** Judges with everything that was appended, and shows what is on disk. */
  readonly store: Store;
  /** Lets no answer to a write out before what it tells of is on disk. */
  readonly interceptor: ServerInterceptor;
  /** When everything is on disk. Nothing may be written any more. */
  close(): Promise<void>;
}

/** The log of before, and a fresh one where the file is not there. The process ends where the disk refuses. */
export async function journalledStore(file: string, options: StoreOptions = {}): Promise<JournalledStore> {
  const { handle, commits } = await openJournal(file);
  const shown = createReplica(options);
  for (const commit of commits) shown.apply(commit);
  const held: { readonly until: number; readonly release: () => void }[] = [];
  const write = groupedWriter(handle, (synced) => {
    for (const commit of synced) shown.apply(commit);
    const due = held.filter(({ until }) => until <= shown.end());
    held.splice(0, held.length, ...held.filter(({ until }) => until > shown.end()));
    for (const { release } of due) release();
  });
  const judging = createStore(options, { commits, write });
  const whenSynced = (until: number, release: () => void): void => {
    if (until <= shown.end()) release();
    else held.push({ until, release });
  };
  await new Promise<void>((resolve) => whenSynced(judging.end(), resolve));
  return {
    store: { ...shown, append: judging.append, delete: judging.delete, restart: judging.restart },
    interceptor: holdAnswers(judging, whenSynced),
    async close() {
      await new Promise<void>((resolve) => whenSynced(judging.end(), resolve));
      await handle.close();
    },
  };
}

function holdAnswers(judging: Store, whenSynced: (until: number, release: () => void) => void): ServerInterceptor {
  const writes = /\/(BatchAppend|Append|Delete|Tombstone)$/;
  return ({ path: method }, call) =>
    new ServerInterceptingCall(
      call,
      writes.test(method)
        ? {
            // A library that sends one message of a call after the other would otherwise make each wait for a sync.
            sendMessage: (message, next) => whenSynced(positionIn(message) ?? judging.end(), () => next(message)),
            sendStatus: (end, next) => whenSynced(judging.end(), () => next(end)),
          }
        : undefined,
    );
}

/** An end of the log that what the message tells of is before. Records are longer than a byte. */
function positionIn(message: unknown): number | undefined {
  if (!(message instanceof streams.BatchAppendResp)) return undefined;
  const position = message.getSuccess()?.getPosition()?.getCommitPosition();
  return position === undefined ? undefined : Number(position) + 1;
}

/** Tells of commits in their order when they are on disk. */
function groupedWriter(handle: FileHandle, onSynced: (commits: readonly Commit[]) => void): (commit: Commit) => void {
  let waiting: Commit[] = [];
  let writing = false;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await handle.appendFile(group.map(lineOf).join(''));
      await handle.datasync();
      onSynced(group);
    }
    writing = false;
  }

  return (commit) => {
    waiting.push(commit);
    if (writing) return;
    writing = true;
    // What arrives in the same turn goes along. A rejection ends the process, as it should.
    setImmediate(() => void writeAll());
  };
}

/** Cuts off a last line that has no end, and whose commit nobody was told of. */
async function openJournal(file: string): Promise<{ readonly handle: FileHandle; readonly commits: Commit[] }> {
  const handle = await open(file, 'a+');
  const commits: Commit[] = [];
  let whole = 0;
  let rest: Buffer[] = [];
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 })) {
    let from = 0;
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, to)]);
      commits.push(commitOf(line.toString('utf8')));
      rest = [];
      whole += line.length + 1;
      from = to + 1;
    }
    rest.push(chunk.subarray(from));
  }
  await handle.truncate(whole);
  await handle.sync();
  const folder = await open(path.dirname(file), 'r');
  await folder.sync();
  await folder.close();
  return { handle, commits };
}

type WrittenEvent = readonly [
  stream: string,
  revision: string,
  id: string,
  type: string,
  isJson: boolean,
  data: string,
  metadata: string,
  position: number,
  created: string,
];

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

const lineOf = ({ end, events }: Commit): string =>
  `${JSON.stringify({
    end,
    events: events.map(
      ({ stream, revision, id, type, isJson, data, metadata, position, created }): WrittenEvent => [
        stream,
        String(revision),
        id,
        type,
        isJson,
        base64(data),
        base64(metadata),
        position,
        String(created),
      ],
    ),
  })}\n`;

function commitOf(line: string): Commit {
  const { end, events } = JSON.parse(line) as { end: number; events: readonly WrittenEvent[] };
  return { end, events: events.map(eventOf) };
}

const eventOf = ([
  stream,
  revision,
  id,
  type,
  isJson,
  data,
  metadata,
  position,
  created,
]: WrittenEvent): StoredEvent => ({
  stream,
  revision: BigInt(revision),
  id,
  type,
  isJson,
  data: Buffer.from(data, 'base64'),
  metadata: Buffer.from(metadata, 'base64'),
  position,
  created: BigInt(created),
});
