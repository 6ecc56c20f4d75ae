/**
 * Hands deliveries from callbacks to a loop: a callback waits until the loop has come back for more. What several
 * callbacks (one a partition) give at about the same time is taken together, so that it costs one transaction.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Delivery } from '#shared/transport/transport.ts';

export interface HandOver {
  /** Resolves when the delivery was worked off; rejects when nobody takes any more. */
  give(delivery: Delivery): Promise<void>;
  /** All that waits, as one; null after so long without any. Rejects with what `fail` was given. */
  take(wait: Promise<void>): Promise<Delivery | null>;
  fail(error: Error): void;
  /** Nobody takes any more. */
  close(): void;
}

interface Given {
  readonly delivery: Delivery;
  done(): void;
  failed(error: Error): void;
}

export function handOver(): HandOver {
  let waiting: Given[] = [];
  let taken: Given[] = [];
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
      for (const { done } of taken) done();
      taken = [];
      // Whoever was told goes on to its next batch first, and what was fetched together comes together.
      await nextTurn();
      if (waiting.length === 0 && !failure) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([woken, wait]);
        await nextTurn();
      }
      if (failure) throw failure;
      if (waiting.length === 0) return null;
      taken = waiting;
      waiting = [];
      return {
        events: taken.flatMap(({ delivery }) => delivery.events),
        watermarks: taken.flatMap(({ delivery }) => delivery.watermarks),
      };
    },
    fail(error) {
      failure = error;
      wake();
    },
    close() {
      closed = true;
      const gone = new Error('nobody takes deliveries any more');
      for (const { failed } of [...taken, ...waiting]) failed(gone);
      [taken, waiting] = [[], []];
    },
  };
}
