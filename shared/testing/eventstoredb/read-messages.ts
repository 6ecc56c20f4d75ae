/** What readers and subscribers are sent. */
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { streamIdentifier, streams, uuidMessage } from './protobuf.ts';
import type { StoredEvent } from './stored-event.ts';

/** A message that is serialised already, as those with events are: the same event is read many times. */
export type ReadMessage = ReadResp | Buffer;

/** Turns a stored event into the message for this request. */
export type EventEncoder = (event: StoredEvent) => Buffer;

const encoded = { text: new WeakMap<StoredEvent, Buffer>(), structured: new WeakMap<StoredEvent, Buffer>() };

/** Ids come as text or as two numbers, as the request wants them. */
export function eventEncoder(options: ReadReq.Options): EventEncoder {
  const structured = options.getUuidOption()?.hasString() !== true;
  const known = structured ? encoded.structured : encoded.text;
  return (event) => {
    const before = known.get(event);
    if (before) return before;
    const message = serialiseRead(eventMessage(event, structured));
    known.set(event, message);
    return message;
  };
}

/** Serialises what is not yet. */
export const serialiseRead = (message: ReadMessage): Buffer =>
  Buffer.isBuffer(message) ? message : Buffer.from(message.serializeBinary());

function eventMessage(event: StoredEvent, structured: boolean): ReadResp {
  const position = String(event.position);
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent();
  recorded
    .setId(uuidMessage(event.id, structured))
    .setStreamIdentifier(streamIdentifier(event.stream))
    .setStreamRevision(String(event.revision))
    .setPreparePosition(position)
    .setCommitPosition(position)
    .setCustomMetadata(event.metadata)
    .setData(event.data);
  recorded
    .getMetadataMap()
    .set('type', event.type)
    .set('created', String(event.created))
    .set('content-type', event.isJson ? 'application/json' : 'application/octet-stream');
  return new streams.ReadResp().setEvent(
    new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position),
  );
}

/** Only positions on $all have two halves that can differ: the one after a page has no prepare part. */
export interface LogPosition {
  readonly commit: number;
  readonly prepare: number;
}

/** Instead of events, for a stream that is not there. */
export const streamNotFound = (stream: string): ReadResp =>
  new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(streamIdentifier(stream)),
  );

/** First message of every subscription. */
export const confirmation = (subscriptionId: string): ReadResp =>
  new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(subscriptionId),
  );

/** A subscription with a filter has looked at everything up to here. */
export const checkpoint = ({ commit, prepare }: LogPosition): ReadResp =>
  new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint().setCommitPosition(String(commit)).setPreparePosition(String(prepare)),
  );

/** The subscription reached the end, and is live from here on. */
export const caughtUp = (): ReadResp => new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
