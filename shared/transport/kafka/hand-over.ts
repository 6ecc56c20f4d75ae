/**
 * Hands deliveries from callbacks to a loop: a callback waits until the loop has come back for more. What several
 * callbacks (one a partition) give at about the same time is taken together, so that it costs one transaction.
 *
 * Watermarks alone are in no hurry: nobody waits for them, and they wait a moment for events to go with. So an event is
 * rarely behind a transaction that only moves checkpoints.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Runtime } from '#shared/runtime/runtime.ts';
import type { DeliveredEvent, Delivery, Watermark } from '#shared/transport/transport.ts';

export interface HandOver {
  /** Resolves when its events were worked off, at once where it has none; rejects when nobody takes any more. */
  give(delivery: Delivery): Promise<void>;
  /** All that waits, as one; null after so long without any. Rejects with what `fail` was given. */
  take(wait: Promise<void>): Promise<Delivery | null>;
  fail(error: Error): void;
  /** Nobody takes any more. */
  close(): void;
}

interface Given {
  readonly events: readonly DeliveredEvent[];
  done(): void;
  failed(error: Error): void;
}

/** So long watermarks wait for events. */
const patienceMilliseconds = 200;

export function handOver(runtime: Runtime): HandOver {
  let waiting: Given[] = [];
  let taken: Given[] = [];
  /** In the order they came; what is given later is later. */
  let watermarks: Watermark[] = [];
  let since = 0;
  let failure: Error | null = null;
  let closed = false;
  let wake: () => void = () => undefined;
  const gone = () => new Error('nobody takes deliveries any more');

  function keep(given: readonly Watermark[]): void {
    if (given.length === 0) return;
    if (watermarks.length === 0) since = runtime.now().getTime();
    // One that is about the same slots says all that the one before it said.
    const same = (one: Watermark) =>
      given.some(({ previous }) => [...one.previous.keys()].every((slot) => previous.has(slot)));
    watermarks = [...watermarks.filter((one) => !same(one)), ...given];
  }

  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const left = () => since + patienceMilliseconds - runtime.now().getTime();

  return {
    async give(delivery) {
      if (closed) throw gone();
      keep(delivery.watermarks);
      if (delivery.events.length === 0) return wake();
      await new Promise<void>((done, failed) => {
        waiting.push({ events: delivery.events, done, failed });
        wake();
      });
    },
    async take(wait) {
      for (const { done } of taken) done();
      taken = [];
      let over = false;
      const ended = wait.then(() => {
        over = true;
      });
      for (;;) {
        // Whoever was told goes on to its next batch first, and what was fetched together comes together.
        await nextTurn();
        if (failure) throw failure;
        if (waiting.length > 0 || over || (watermarks.length > 0 && left() <= 0)) break;
        const hold = new AbortController();
        const until = watermarks.length > 0 ? [runtime.sleep(left(), hold.signal)] : [];
        await Promise.race([woken(), ended, ...until]);
        hold.abort();
      }
      if (waiting.length === 0 && watermarks.length === 0) return null;
      const delivery = { events: waiting.flatMap(({ events }) => events), watermarks };
      [taken, waiting, watermarks] = [waiting, [], []];
      return delivery;
    },
    fail(error) {
      failure = error;
      wake();
    },
    close() {
      closed = true;
      for (const { failed } of [...taken, ...waiting]) failed(gone());
      [taken, waiting, watermarks] = [[], [], []];
    },
  };
}
