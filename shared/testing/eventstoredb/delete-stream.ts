/** Soft and hard deletes: the same decision, answered alike. */
import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServiceError } from '@grpc/grpc-js';
import { expectedOf } from './append-messages.ts';
import { streamDeleted, wrongExpectedVersion } from './call-status.ts';
import type { Expected } from './commit-check.ts';
import type { ServerNode } from './node.ts';
import { streamNameOf, streams } from './protobuf.ts';

/** The stream reads as missing until somebody appends to it again. */
export function softDelete(node: ServerNode, request: DeleteReq): DeleteResp | ServiceError {
  const done = deleteStream(node, request, 'soft');
  if (done instanceof Error) return done;
  const position = new streams.DeleteResp.Position().setCommitPosition(done).setPreparePosition(done);
  return new streams.DeleteResp().setPosition(position);
}

/** The stream refuses for ever. */
export function tombstone(node: ServerNode, request: TombstoneReq): TombstoneResp | ServiceError {
  const done = deleteStream(node, request, 'hard');
  if (done instanceof Error) return done;
  const position = new streams.TombstoneResp.Position().setCommitPosition(done).setPreparePosition(done);
  return new streams.TombstoneResp().setPosition(position);
}

/** Offset of the record in the log, or how the call fails. */
function deleteStream(
  node: ServerNode,
  request: DeleteReq | TombstoneReq,
  how: 'soft' | 'hard',
): string | ServiceError {
  const options = request.getOptions()!;
  const stream = streamNameOf(options.getStreamIdentifier());
  const expected = expectedOf(options, options.getRevision());
  const outcome = node.store.delete(stream, expected, how);
  if (outcome.outcome === 'deleted') return streamDeleted(stream);
  if (outcome.outcome === 'conflict') return wrongExpectedVersion(stream, numberOf(expected), outcome.current);
  return String(outcome.position);
}

/** The server's numbers for expectations that are none; its errors show them. */
function numberOf(expected: Expected): bigint {
  const numbers = { no_stream: -1n, any: -2n, stream_exists: -4n };
  return typeof expected === 'bigint' ? expected : numbers[expected];
}
