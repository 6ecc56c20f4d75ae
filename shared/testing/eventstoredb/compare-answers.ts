/**
 * Says whether a replayed call went as the recorded one. Everything must be the same but for what no two servers have
 * alike: times, ids that the server makes up, and positions. Those must go together instead: the same one here
 * wherever it is the same one there, and positions and times in the same order.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Message } from 'google-protobuf';
import { features, streams } from './protobuf.ts';
import type { CallEnd, RecordedCall } from './recordings.ts';
import type { ReplayedCall } from './replay-recording.ts';

/** What was learned about the other server from the calls compared so far. */
export interface Correspondence {
  readonly positions: Pairs;
  readonly times: Pairs;
  readonly ids: Pairs;
}

interface Pairs {
  /** True if the two go together with all pairs before. */
  match(recorded: string, replayed: string): boolean;
  /** Those that go together although they are not the same. */
  unlike(): readonly (readonly [recorded: string, replayed: string])[];
}

/** Nothing learned. Positions and times keep their order; equal ones only together. */
export function noCorrespondence(): Correspondence {
  return { positions: pairs(inOrder), times: pairs(inOrder), ids: pairs(() => true) };
}

type Fits = (one: readonly [string, string], other: readonly [string, string]) => boolean;

function pairs(fits: Fits): Pairs {
  const known = new Map<string, string>();
  const taken = new Map<string, string>();
  return {
    match(recorded, replayed) {
      if (known.has(recorded) || taken.has(replayed)) {
        return known.get(recorded) === replayed && taken.get(replayed) === recorded;
      }
      for (const pair of known) if (!fits(pair, [recorded, replayed])) return false;
      known.set(recorded, replayed);
      taken.set(replayed, recorded);
      return true;
    },
    unlike: () => [...known].filter(([recorded, replayed]) => recorded !== replayed),
  };
}

const inOrder: Fits = ([recorded, replayed], [otherRecorded, otherReplayed]) =>
  BigInt(recorded) < BigInt(otherRecorded) === BigInt(replayed) < BigInt(otherReplayed);

/** How answers of a method are read. */
const decoders: Readonly<Record<string, (bytes: Uint8Array) => Message>> = {
  GetSupportedMethods: features.SupportedMethods.deserializeBinary,
  BatchAppend: streams.BatchAppendResp.deserializeBinary,
  Append: streams.AppendResp.deserializeBinary,
  Read: streams.ReadResp.deserializeBinary,
  Delete: streams.DeleteResp.deserializeBinary,
  Tombstone: streams.TombstoneResp.deserializeBinary,
};

/** What differs, in words; nothing if the call went alike. */
export function differences(recorded: RecordedCall, replayed: ReplayedCall, known: Correspondence): readonly string[] {
  const found: string[] = [];
  const name = recorded.method.slice(recorded.method.lastIndexOf('/') + 1);
  const decode = decoders[name]!;
  const expected = recorded.messages.filter(({ dir }) => dir === '<');
  if (expected.length !== replayed.answers.length)
    found.push(`${name}: ${replayed.answers.length} answers instead of ${expected.length}`);
  for (const [index, { seq, bytes }] of expected.entries()) {
    const answer = replayed.answers[index];
    if (!answer) break;
    const [one, other] = [decode(bytes), decode(answer)];
    for (const difference of aligned(one, other, known)) found.push(`${name}, message ${seq}: ${difference}`);
    // Serialised again, because the text form does not show which of several fields is set.
    if (!Buffer.from(one.serializeBinary()).equals(other.serializeBinary()))
      found.push(
        `${name}, message ${seq}: ${JSON.stringify(other.toObject())} instead of ${JSON.stringify(one.toObject())}`,
      );
  }
  if (!isDeepStrictEqual(relevant(replayed.status), relevant(recorded.status)))
    found.push(`${name}: ended with ${JSON.stringify(replayed.status)} instead of ${JSON.stringify(recorded.status)}`);
  return found;
}

/** Trailers that say something about the call, and not about the HTTP library that sent them. */
function relevant(end: CallEnd | undefined): unknown {
  if (!end) return undefined;
  const transport = new Set(['content-length', 'content-type', 'date', 'server', 'grpc-accept-encoding']);
  const trailers = Object.entries(end.trailers).filter(([name]) => !transport.has(name));
  return { code: end.code, details: end.details, trailers: Object.fromEntries(trailers) };
}

interface Place {
  getCommitPosition(): string;
  getPreparePosition(): string;
  setCommitPosition(value: string): unknown;
  setPreparePosition(value: string): unknown;
}

/** Checks what may differ, and then makes it the same, so that the rest can be compared as it is. */
function aligned(recorded: Message, replayed: Message, known: Correspondence): readonly string[] {
  const found: string[] = [];
  const check = (what: keyof Correspondence, one: string, other: string): void => {
    if (!known[what].match(one, other)) found.push(`${other} instead of ${one} does not fit the ${what} before`);
  };
  const alignPlace = (one: Place | undefined, other: Place | undefined): void => {
    if (!one || !other) return;
    check('positions', one.getCommitPosition(), other.getCommitPosition());
    check('positions', one.getPreparePosition(), other.getPreparePosition());
    other.setCommitPosition(one.getCommitPosition());
    other.setPreparePosition(one.getPreparePosition());
  };
  if (recorded instanceof streams.ReadResp && replayed instanceof streams.ReadResp) {
    alignRead(recorded, replayed, check, alignPlace);
  } else if (recorded instanceof streams.BatchAppendResp && replayed instanceof streams.BatchAppendResp) {
    alignPlace(recorded.getSuccess()?.getPosition(), replayed.getSuccess()?.getPosition());
  } else if (recorded instanceof streams.AppendResp && replayed instanceof streams.AppendResp) {
    alignPlace(recorded.getSuccess()?.getPosition(), replayed.getSuccess()?.getPosition());
  } else if (recorded instanceof streams.DeleteResp && replayed instanceof streams.DeleteResp) {
    alignPlace(recorded.getPosition(), replayed.getPosition());
  } else if (recorded instanceof streams.TombstoneResp && replayed instanceof streams.TombstoneResp) {
    alignPlace(recorded.getPosition(), replayed.getPosition());
  }
  return found;
}

function alignRead(
  recorded: streams.ReadResp,
  replayed: streams.ReadResp,
  check: (what: keyof Correspondence, one: string, other: string) => void,
  alignPlace: (one: Place | undefined, other: Place | undefined) => void,
): void {
  alignPlace(recorded.getCheckpoint(), replayed.getCheckpoint());
  const [one, other] = [recorded.getConfirmation(), replayed.getConfirmation()];
  if (one && other && isUuid(other.getSubscriptionId())) other.setSubscriptionId(one.getSubscriptionId());
  const [outer, otherOuter] = [recorded.getEvent(), replayed.getEvent()];
  const [event, otherEvent] = [outer?.getEvent(), otherOuter?.getEvent()];
  if (!outer || !otherOuter || !event || !otherEvent) return;
  alignPlace(event, otherEvent);
  check('positions', outer.getCommitPosition(), otherOuter.getCommitPosition());
  otherOuter.setCommitPosition(outer.getCommitPosition());
  const created = event.getMetadataMap().get('created') ?? '';
  check('times', created, otherEvent.getMetadataMap().get('created') ?? '');
  otherEvent.getMetadataMap().set('created', created);
  // Clients make the ids of their events, the server those of its own.
  const id = event.getId()?.getString() ?? '';
  const otherId = otherEvent.getId()?.getString() ?? '';
  const isOwn = otherEvent.getMetadataMap().get('type')?.startsWith('$') === true;
  if (!isOwn || !isUuid(otherId)) return;
  check('ids', id, otherId);
  otherEvent.getId()?.setString(id);
}

const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
