/** The older form of an append, which the client uses when a call has credentials of its own. */
import type { AppendReq, AppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import { BadEvent, expectedOf, proposedEvent, unaryAnswer } from './append-messages.ts';
import { invalidArgument, maxAppendSizeExceeded, serverNotReady, streamDeleted, timedOut } from './call-status.ts';
import type { CallSite } from './node.ts';
import { streamNameOf } from './protobuf.ts';
import { runWithFault } from './run-with-fault.ts';
import { type ProposedEvent, sizeOf } from './stored-event.ts';

/** The first message says where to and on which condition, each other one is an event; the end of them is the append. */
export function unaryAppend(
  site: CallSite,
  call: ServerReadableStream<AppendReq, AppendResp>,
  reply: sendUnaryData<AppendResp>,
): void {
  const { node } = site;
  const events: ProposedEvent[] = [];
  let options: AppendReq.Options | undefined;
  let size = 0;
  let refused = false;

  function receive(request: AppendReq): void {
    const message = request.getProposedMessage();
    if (message) events.push(proposedEvent(message));
    else options = request.getOptions();
    const last = events.at(-1);
    if (message && last) size += sizeOf(last);
  }

  function refuse(error: Parameters<typeof reply>[0]): void {
    refused = true;
    reply(error);
  }

  function judge(to: AppendReq.Options): void {
    const stream = streamNameOf(to.getStreamIdentifier());
    const store = () => node.store.append(stream, expectedOf(to, to.getRevision()), events);
    node.counts.appends += 1;
    runWithFault(site, 'append', {
      whole: () => {
        const outcome = store();
        if (outcome.outcome === 'deleted') reply(streamDeleted(stream));
        else reply(null, unaryAnswer(outcome, to));
      },
      part: () => {
        store();
        return undefined;
      },
      fail: reply,
      notReady: () => reply(serverNotReady()),
      timedOut: () => reply(timedOut('the append')),
    });
  }

  call.on('data', (request: AppendReq) =>
    node.gate.pass(() => {
      if (refused) return;
      try {
        receive(request);
      } catch (error) {
        if (!(error instanceof BadEvent)) throw error;
        return refuse(invalidArgument(error.message));
      }
      if (size > node.settings.maxAppendSize) refuse(maxAppendSizeExceeded(node.settings.maxAppendSize));
    }),
  );
  call.on('end', () =>
    node.gate.pass(() => {
      if (refused) return;
      if (options) judge(options);
      else reply(invalidArgument('The first message must be the options.'));
    }),
  );
}
