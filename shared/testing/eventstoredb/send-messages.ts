/** Sending with back-pressure: never more ahead of the client than its flow control allows. */

import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ReadMessage } from './read-messages.ts';

/** A read or a subscription, as the server sees it. */
export type ReadCall = ServerWritableStream<ReadReq, ReadMessage>;

/** Sends everything, or as much as the client wants. False if the client is gone. */
export async function sendMessages(call: ReadCall, messages: Iterable<ReadMessage>): Promise<boolean> {
  for (const message of messages) {
    if (call.cancelled) return false;
    if (!call.write(message)) await drained(call);
  }
  return !call.cancelled;
}

function drained(call: ReadCall): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      call.off('cancelled', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
  });
}
