/** Appends as the protocol has them: what a request asks for, and how each outcome is answered. */
import type { WrongExpectedVersion } from '@eventstore/db-client/generated/shared_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import type { Message } from 'google-protobuf';
import type { Expected } from './commit-check.ts';
import { any, empty, nothing, shared, status, streams, uuidText } from './protobuf.ts';
import type { AppendOutcome } from './store.ts';
import type { ProposedEvent } from './stored-event.ts';

/** The three kinds of requests write their expectation alike. */
interface WithExpectation {
  hasNoStream(): boolean;
  hasAny(): boolean;
  hasStreamExists(): boolean;
}

/** @param revision the request's number, used where it has no other expectation */
export function expectedOf(options: WithExpectation, revision: string): Expected {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream_exists';
  return BigInt(revision);
}

/** An event that the server refuses to look at; the message is its own. */
export class BadEvent extends Error {}

/** @throws BadEvent for an event without an id or a type */
export function proposedEvent(message: BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage): ProposedEvent {
  const attributes = message.getMetadataMap();
  const id = uuidText(message.getId());
  const type = attributes.get('type');
  const contentType = attributes.get('content-type');
  if (type === undefined) throw new BadEvent("The given key 'type' was not present in the dictionary.");
  if (contentType === undefined) throw new BadEvent("The given key 'content-type' was not present in the dictionary.");
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new BadEvent('Unrecognized Guid format.');
  if (/^[0-]+$/.test(id)) throw new BadEvent("Empty eventId provided. (Parameter 'eventId')");
  if (type === '') throw new BadEvent("Empty eventType provided. (Parameter 'eventType')");
  return {
    id,
    type,
    isJson: contentType === 'application/json',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

function position(offset: number): shared.AllStreamPosition {
  const both = new shared.AllStreamPosition();
  return both.setCommitPosition(String(offset)).setPreparePosition(String(offset));
}

/** The answer to a batch append. Who asked, and about which stream, is added by the caller. */
export function batchAnswer(outcome: AppendOutcome, request: BatchAppendReq.Options): BatchAppendResp {
  const answer = new streams.BatchAppendResp();
  if (outcome.outcome === 'stored') {
    const success = new streams.BatchAppendResp.Success().setPosition(position(outcome.position));
    if (outcome.lastRevision < 0) success.setNoStream(new empty.Empty());
    else success.setCurrentRevision(String(outcome.lastRevision));
    return answer.setSuccess(success);
  }
  if (outcome.outcome === 'deleted') {
    const details = new shared.StreamDeleted().setStreamIdentifier(request.getStreamIdentifier());
    return batchError(5, 'StreamDeleted', details);
  }
  return batchError(6, 'WrongExpectedVersion', conflictOf(request, outcome.current));
}

function conflictOf(request: BatchAppendReq.Options, current: number): WrongExpectedVersion {
  const details = new shared.WrongExpectedVersion();
  if (current < 0) details.setCurrentNoStream(new empty.Empty());
  else details.setCurrentStreamRevision(String(current));
  if (request.hasNoStream()) return details.setExpectedNoStream(new empty.Empty());
  if (request.hasAny()) return details.setExpectedAny(new empty.Empty());
  if (request.hasStreamExists()) return details.setExpectedStreamExists(new empty.Empty());
  return details.setExpectedStreamPosition(request.getStreamPosition());
}

function batchError(code: number, message: string, details: Message): BatchAppendResp {
  const packed = new any.Any();
  packed.pack(details.serializeBinary(), `event_store.client.${message}`);
  const error = new status.Status().setCode(code).setMessage(message).setDetails(packed);
  return new streams.BatchAppendResp().setError(error);
}

/** Too many bytes in one append. */
export const batchTooLarge = (limit: number): BatchAppendResp =>
  batchError(3, 'MaximumAppendSizeExceeded', new shared.MaximumAppendSizeExceeded().setMaxappendsize(limit));

/** An event that makes no sense. */
export const batchBadRequest = (message: string): BatchAppendResp =>
  batchError(3, 'BadRequest', new shared.BadRequest().setMessage(message));

/** An append without a name and password where one is required. */
export const batchAccessDenied = (): BatchAppendResp => batchError(7, 'AccessDenied', new shared.AccessDenied());

/** The deadline of the append passed. */
export const batchTimeout = (): BatchAppendResp => batchError(4, 'Timeout', new shared.Timeout());

/** Just after the start. The details are Google's empty message, which makes the client say that it cannot recognise it. */
export function batchNotReady(): BatchAppendResp {
  const packed = new any.Any();
  packed.pack(new empty.Empty().serializeBinary(), 'google.protobuf.Empty');
  return new streams.BatchAppendResp().setError(
    new status.Status().setMessage('Server Is Not Ready').setDetails(packed),
  );
}

/** The answer to an append of the older, unary form. */
export function unaryAnswer(
  outcome: Exclude<AppendOutcome, { outcome: 'deleted' }>,
  request: AppendReq.Options,
): AppendResp {
  const answer = new streams.AppendResp();
  if (outcome.outcome === 'stored') {
    const offset = String(outcome.position);
    const at = new streams.AppendResp.Position().setCommitPosition(offset).setPreparePosition(offset);
    const success = new streams.AppendResp.Success().setPosition(at);
    if (outcome.lastRevision < 0) success.setNoStream(nothing());
    else success.setCurrentRevision(String(outcome.lastRevision));
    return answer.setSuccess(success);
  }
  const conflict = new streams.AppendResp.WrongExpectedVersion();
  if (outcome.current < 0) conflict.setCurrentNoStream(nothing());
  else conflict.setCurrentRevision(String(outcome.current));
  if (request.hasNoStream()) conflict.setExpectedNoStream(nothing());
  else if (request.hasAny()) conflict.setExpectedAny(nothing());
  else if (request.hasStreamExists()) conflict.setExpectedStreamExists(nothing());
  else conflict.setExpectedRevision(request.getRevision());
  return answer.setWrongExpectedVersion(conflict);
}
