/** Hands deliveries from a callback to a loop, one at a time: the callback waits until the loop has come back for more. */
import type { Delivery } from '#shared/transport/transport.ts';

export interface HandOver {
  /** Resolves when the delivery was worked off; rejects when nobody takes any more. */
  give(delivery: Delivery): Promise<void>;
  /** The next delivery; null after so long without one. Rejects with what `fail` was given. */
  take(wait: Promise<void>): Promise<Delivery | null>;
  fail(error: Error): void;
  /** Nobody takes any more. */
  close(): void;
}

export function handOver(): HandOver {
  const waiting: { readonly delivery: Delivery; done(): void; failed(error: Error): void }[] = [];
  let current: (typeof waiting)[number] | null = null;
  let failure: Error | null = null;
  let closed = false;
  let wake: () => void = () => undefined;

  return {
    give(delivery) {
      if (closed) return Promise.reject(new Error('nobody takes deliveries any more'));
      return new Promise((done, failed) => {
        waiting.push({ delivery, done, failed });
        wake();
      });
    },
    async take(wait) {
      current?.done();
      current = null;
      if (failure) throw failure;
      if (waiting.length === 0) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([woken, wait]);
      }
      if (failure) throw failure;
      current = waiting.shift() ?? null;
      return current?.delivery ?? null;
    },
    fail(error) {
      failure = error;
      wake();
    },
    close() {
      closed = true;
      const gone = new Error('nobody takes deliveries any more');
      for (const one of [...(current ? [current] : []), ...waiting]) one.failed(gone);
      waiting.length = 0;
      current = null;
    },
  };
}
