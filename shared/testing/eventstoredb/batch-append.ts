/**
 * The call that all appends of a client share: messages with the same correlation id are one append, which is judged
 * when the final one arrives. Answers go out in the order in which appends were judged.
 */
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  BadEvent,
  batchAccessDenied,
  batchAnswer,
  batchBadRequest,
  batchNotReady,
  batchTimeout,
  batchTooLarge,
  expectedOf,
  proposedEvent,
} from './append-messages.ts';
import type { CallSite } from './node.ts';
import { streamIdentifier, streamNameOf, uuidText } from './protobuf.ts';
import { runWithFault } from './run-with-fault.ts';
import { type ProposedEvent, sizeOf } from './stored-event.ts';

interface PendingAppend {
  readonly options: BatchAppendReq.Options;
  readonly events: ProposedEvent[];
  size: number;
}

/** Serves one such call until the client ends it. */
export function batchAppend(site: CallSite, call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
  const { node } = site;
  const pending = new Map<string, PendingAppend>();
  const denied = node.settings.requiresLogin && call.metadata.get('authorization').length === 0;
  let failed = false;

  function answer(
    request: BatchAppendReq,
    options: BatchAppendReq.Options | undefined,
    response: BatchAppendResp,
  ): void {
    if (call.cancelled || call.writableEnded) return;
    response.setCorrelationId(request.getCorrelationId());
    if (options) response.setStreamIdentifier(streamIdentifier(streamNameOf(options.getStreamIdentifier())));
    call.write(response);
  }

  /** Opens an append, or tells why it is refused before its events are looked at. */
  function begin(correlationId: string, options: BatchAppendReq.Options): BatchAppendResp | undefined {
    if (denied) return batchAccessDenied();
    const deadline = options.getDeadline();
    if (deadline && deadline.getSeconds() * 1_000 + deadline.getNanos() / 1e6 <= node.now()) return batchTimeout();
    if (!pending.has(correlationId)) pending.set(correlationId, { options, events: [], size: 0 });
    return undefined;
  }

  function receive(request: BatchAppendReq): void {
    if (failed) return;
    const correlationId = uuidText(request.getCorrelationId());
    const options = request.getOptions();
    const early = options && begin(correlationId, options);
    if (early) answer(request, options, early);
    const append = pending.get(correlationId);
    // The rest of an append that was refused already.
    if (!append) return;
    const refusal = collect(request, append);
    if (refusal || request.getIsFinal()) pending.delete(correlationId);
    if (refusal) answer(request, append.options, refusal);
    else if (request.getIsFinal()) judge(request, append);
  }

  /** Adds the message's events to the append, or tells why they are refused. */
  function collect(request: BatchAppendReq, append: PendingAppend): BatchAppendResp | undefined {
    try {
      for (const message of request.getProposedMessagesList()) {
        const event = proposedEvent(message);
        append.events.push(event);
        append.size += sizeOf(event);
      }
    } catch (error) {
      if (error instanceof BadEvent) return batchBadRequest(error.message);
      throw error;
    }
    const { maxAppendSize } = node.settings;
    return append.size > maxAppendSize ? batchTooLarge(maxAppendSize) : undefined;
  }

  function judge(request: BatchAppendReq, { options, events }: PendingAppend): void {
    node.counts.appends += 1;
    const store = (): BatchAppendResp => {
      const stream = streamNameOf(options.getStreamIdentifier());
      return batchAnswer(node.store.append(stream, expectedOf(options, options.getStreamPosition()), events), options);
    };
    runWithFault(site, 'append', {
      whole: () => answer(request, options, store()),
      part: () => {
        store();
        return undefined;
      },
      fail: (error) => {
        failed = true;
        call.emit('error', error);
      },
      notReady: () => answer(request, options, batchNotReady()),
      timedOut: () => answer(request, options, batchTimeout()),
    });
  }

  call.on('data', (request: BatchAppendReq) => node.gate.pass(() => receive(request)));
  call.on('end', () => node.gate.pass(() => call.end()));
}
