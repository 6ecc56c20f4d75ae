/** Time, waiting and chance, handed to every loop, so that a simulation can own them. */
import { setTimeout as wait } from 'node:timers/promises';

export interface Runtime {
  now(): Date;
  /** Resolves after so many milliseconds, or at once when the signal is aborted; never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** From 0 (inclusive) to 1 (exclusive). */
  random(): number;
}

export const systemRuntime: Runtime = {
  now: () => new Date(),
  sleep: (milliseconds, signal) => wait(milliseconds, undefined, signal ? { signal } : {}).catch(() => undefined),
  random: Math.random,
};
