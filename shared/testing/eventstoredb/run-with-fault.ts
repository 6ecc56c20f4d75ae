/** Serves a call, or lets go wrong with it what a test asked for. */
import type { ServiceError } from '@grpc/grpc-js';
import { consumerTooSlow, notLeader, unavailable } from './call-status.ts';
import type { Fault, FaultKind, FaultPlace } from './faults.ts';
import type { CallSite } from './node.ts';

/** The pieces of a call that faults are made of. */
export interface FaultyCall {
  /** Serves it as if nothing were wrong. */
  whole(): void;
  /** As much of it as happens before a fault of the "after" kind. Where it takes no time, the fault strikes at once. */
  part(): Promise<void> | undefined;
  /** Ends it with a status. */
  fail(error: ServiceError): void;
  /** The three ways in which the server has no answer yet differ from call to call. */
  notReady(): void;
  timedOut(): void;
}

/** How long the server is away if the fault does not say. */
const defaultDurationMs = 500;

/** Counts the call, and does with it what is due. */
export function runWithFault(site: CallSite, on: FaultPlace, call: FaultyCall): void {
  const fault = site.node.faults.take(on);
  if (fault) strike(site, fault, call);
  else call.whole();
}

function strike({ node, connection }: CallSite, fault: Fault, call: FaultyCall): void {
  const duration = fault.durationMs ?? defaultDurationMs;
  const { host, port } = node.address();
  const effects: Record<FaultKind, () => void> = {
    unavailable: () => call.fail(unavailable()),
    'gone-before': () => node.goneFor(duration),
    'gone-after': () => afterPart(call, () => node.goneFor(duration)),
    'cut-before': connection.cut,
    'cut-after': () => afterPart(call, connection.cut),
    'unanswered-before': () => {},
    'unanswered-after': () => afterPart(call, () => {}),
    frozen: () => {
      node.freezeFor(duration);
      node.gate.pass(call.whole);
    },
    'not-leader': () => call.fail(notLeader(host, port)),
    'not-ready': call.notReady,
    'timeout-before': call.timedOut,
    'timeout-after': () => afterPart(call, call.timedOut),
    'slow-consumer': () => {
      node.counts.droppedSubscribers += 1;
      afterPart(call, () => call.fail(consumerTooSlow()));
    },
  };
  effects[fault.kind]();
}

function afterPart(call: FaultyCall, effect: () => void): void {
  const part = call.part();
  if (part) void part.then(effect);
  else effect();
}
