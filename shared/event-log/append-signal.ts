/** Wakes subscriptions when something was appended. A waiter made before a read misses no append after that read. */

import type { WaitForAppend } from '#shared/event-log/subscribe-by-pages.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** Where nobody wakes it, so long a reader may sleep over an append. */
export const pollMilliseconds = 1_000;

export interface AppendSignal {
  notify(): void;
  waiter(): { readonly woken: WaitForAppend };
}

export function appendSignal(runtime: Runtime): AppendSignal {
  let count = 0;
  const sleepers = new Set<() => void>();
  return {
    notify() {
      count++;
      for (const wake of [...sleepers]) wake();
    },
    waiter() {
      const seen = count;
      return {
        woken: async (signal) => {
          if (count !== seen || signal.aborted) return;
          const done = new AbortController();
          const wake = () => done.abort();
          sleepers.add(wake);
          signal.addEventListener('abort', wake, { once: true });
          await runtime.sleep(pollMilliseconds, done.signal);
          sleepers.delete(wake);
          signal.removeEventListener('abort', wake);
        },
      };
    },
  };
}
