/** What a test can make go wrong. */

/** Which calls a fault counts. One message of a batch append that ends an append counts as one append. */
export type FaultPlace = 'append' | 'read' | 'subscribe';

/**
 * What happens at the call. "before": nothing was stored, or nothing of the answer sent. "after": the append is stored
 * (its answer is lost), half of the read was sent, or one event of the subscription.
 */
export const faultKinds = [
  /** The call ends with status 14; the connection stays. */
  'unavailable',
  /** The whole server dies, and comes back after the duration. */
  'gone-before',
  'gone-after',
  /** The connection breaks. */
  'cut-before',
  'cut-after',
  /** No answer ever comes, while the server otherwise works. */
  'unanswered-before',
  'unanswered-after',
  /** The whole server stops for the duration, then goes on with this call as if nothing had been. */
  'frozen',
  /** The node says that another one leads, and names itself, so that a client which follows comes back. */
  'not-leader',
  /** As just after the start of a server. */
  'not-ready',
  /** The server gives up waiting for itself. An append may be stored all the same: "after". */
  'timeout-before',
  'timeout-after',
  /** Subscriptions only: dropped because the consumer is too slow, after one event. */
  'slow-consumer',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** One thing going wrong, once. */
export interface Fault {
  readonly on: FaultPlace;
  /** 1 is the next call of that kind. */
  readonly nth: number;
  readonly kind: FaultKind;
  /** How long the server is gone or frozen, in milliseconds; 500 if not given. */
  readonly durationMs?: number;
}

/** Faults that wait for their call. */
export interface Faults {
  inject(fault: Fault): void;
  clear(): void;
  /** How many have not struck yet. */
  waiting(): number;
  /** Counts one call, and takes the fault that is meant for it. Of two for the same call the second gets the next one. */
  take(on: FaultPlace): Fault | undefined;
}

/** No faults yet. */
export function createFaults(): Faults {
  let waiting: { fault: Fault; left: number }[] = [];
  return {
    inject(fault) {
      if (fault.kind === 'slow-consumer' && fault.on !== 'subscribe')
        throw new RangeError('Only a subscription can be too slow.');
      if (!Number.isSafeInteger(fault.nth) || fault.nth < 1) throw new RangeError('nth counts from 1.');
      waiting.push({ fault, left: fault.nth });
    },
    clear() {
      waiting = [];
    },
    waiting: () => waiting.length,
    take(on) {
      for (const one of waiting) if (one.fault.on === on) one.left -= 1;
      const due = waiting.find((one) => one.fault.on === on && one.left <= 0);
      if (!due) return undefined;
      waiting = waiting.filter((one) => one !== due);
      return due.fault;
    },
  };
}
