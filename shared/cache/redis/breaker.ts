/**
 * A circuit breaker. Its states:
 *
 *   closed      Redis is in use. Failures in a row are counted; the third one, or the loss of the connection, opens it.
 *   open        Redis is away. Every call answers at once that nothing is known. After a back-off it is tried.
 *   half-open   One trial is under way, made by the breaker itself and never by a request. Calls still answer at once.
 *               Success closes it; failure opens it again, for twice as long (100 ms to 5 s, with jitter).
 *
 * A Redis that answers the trial and then fails again is not tried as if it were new: only after it held for ten
 * seconds does the back-off begin from its start. Own code, because what libraries offer (cockatiel, opossum) lets a
 * caller's request be the trial, which here would cost it a time-out.
 */
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export type BreakerState = 'closed' | 'half-open' | 'open';

const failuresInARow = 3;
const steadyMilliseconds = 10_000;

export interface Breaker {
  readonly state: BreakerState;
  succeeded(): void;
  failed(reason: string): void;
  /** Opens it whatever was counted: the connection is gone, or was never there. */
  lost(reason: string): void;
  close(): Promise<void>;
}

export function breaker(options: {
  readonly runtime: Runtime;
  /** Connects anew, and resolves where Redis answers. */
  readonly attempt: () => Promise<void>;
  readonly changed: (state: BreakerState, reason: string) => void;
}): Breaker {
  const { runtime, attempt, changed } = options;
  const stop = new AbortController();
  let state: BreakerState = 'closed';
  let failures = 0;
  let attempts = 0;
  let closedAt = Number.NEGATIVE_INFINITY;
  let trials = Promise.resolve();

  const become = (next: BreakerState, reason: string) => {
    state = next;
    changed(next, reason);
  };

  async function tryUntilItAnswers(): Promise<void> {
    while (!stop.signal.aborted) {
      await backOff(runtime, attempts++, { base: 100, cap: 5_000, signal: stop.signal });
      if (stop.signal.aborted) return;
      become('half-open', '');
      try {
        await attempt();
        failures = 0;
        closedAt = runtime.now().getTime();
        return become('closed', '');
      } catch (error) {
        become('open', (error as Error).message);
      }
    }
  }

  function open(reason: string): void {
    if (state !== 'closed' || stop.signal.aborted) return;
    if (runtime.now().getTime() - closedAt > steadyMilliseconds) attempts = 0;
    become('open', reason);
    trials = tryUntilItAnswers();
  }

  return {
    get state() {
      return state;
    },
    succeeded() {
      failures = 0;
    },
    failed(reason) {
      if (++failures >= failuresInARow) open(reason);
    },
    lost: open,
    async close() {
      stop.abort();
      await trials;
    },
  };
}
