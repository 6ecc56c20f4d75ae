/**
 * What the server makes of an append: the check of its expectation, and with it the recognition of repetitions.
 * The order of the questions is the server's, and decides the odd cases: an append repeated after later events is
 * still recognised, one with a part of its events known is a conflict, one whose expectation was brought up to date
 * writes everything a second time.
 */
import type { CommittedAt } from './recent-ids.ts';

/** Expected state of the stream, in the words of the client. */
export type Expected = 'any' | 'no_stream' | 'stream_exists' | bigint;

/** What the check needs to know about the stream. Revisions are numbers; -1 is a stream that was never written. */
export interface StreamToCheck {
  readonly name: string;
  readonly lastRevision: number;
  readonly tombstoned: boolean;
  readonly softDeleted: boolean;
  readonly hasMetadata: boolean;
  /** Id of the event at this revision, though it may be cut from what readers see. */
  idAt(revision: number): string | undefined;
}

/** `repeated` names the last of the events that are in the log already. */
export type CommitDecision =
  | { readonly outcome: 'write' }
  | { readonly outcome: 'repeated'; readonly lastRevision: number }
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'deleted' };

const write: CommitDecision = { outcome: 'write' };
const conflict: CommitDecision = { outcome: 'conflict' };
const deleted: CommitDecision = { outcome: 'deleted' };

/** Judges an append of events with these ids. `committed` is the server's bounded memory of ids. */
export function checkCommit(
  stream: StreamToCheck,
  expected: Expected,
  ids: readonly string[],
  committed: (id: string) => CommittedAt | undefined,
): CommitDecision {
  if (stream.tombstoned) return deleted;
  if (expected === 'stream_exists') {
    if (stream.softDeleted) return deleted;
    if (stream.lastRevision < 0 && !stream.hasMetadata) return conflict;
  }
  if (expected === 'any' || expected === 'stream_exists') return checkByMemory(stream, ids, committed);
  const revision = expected === 'no_stream' ? -1 : Number(expected);
  if (revision > stream.lastRevision) return conflict;
  if (revision === stream.lastRevision) return write;
  return checkByRevision(stream, revision, ids);
}

/** Without a revision only the memory of ids can tell a repetition. The first id decides whether it is one at all. */
function checkByMemory(
  stream: StreamToCheck,
  ids: readonly string[],
  committed: (id: string) => CommittedAt | undefined,
): CommitDecision {
  let lastRevision = -1;
  for (const [index, id] of ids.entries()) {
    const at = committed(id);
    if (at === undefined || at.stream !== stream.name) return index === 0 ? write : conflict;
    lastRevision = at.revision;
  }
  return ids.length === 0 ? write : { outcome: 'repeated', lastRevision };
}

/** The expectation is older than the stream: a repetition if exactly these events followed, else a conflict. */
function checkByRevision(stream: StreamToCheck, expected: number, ids: readonly string[]): CommitDecision {
  const known = ids.every((id, index) => stream.idAt(expected + 1 + index) === id);
  if (known && ids.length > 0) return { outcome: 'repeated', lastRevision: expected + ids.length };
  const firstIsNew = ids.length > 0 && stream.idAt(expected + 1) !== ids[0];
  return firstIsNew && expected === -1 && stream.softDeleted ? write : conflict;
}
