/** Patience with a service that is busy, or away for a moment: bounded, and it says that it waits. */
import { setTimeout } from 'node:timers/promises';
import { ApiProblem, ConnectionLost } from '#cli/cli-error.ts';

export interface Patience {
  /** Waited in all, in seconds, since the work last went well for a minute. */
  readonly seconds: number;
  /** Whether to wait for a service that does not answer at all. */
  readonly connection: boolean;
  readonly onWait?: (reason: string, seconds: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const firstDelay = 0.25;
const longestDelay = 5;

/** Seconds until it is worth trying again; null: it is not. */
function delayOf(error: unknown, attempt: number, connection: boolean): number | null {
  const delay = Math.min(longestDelay, firstDelay * 2 ** attempt);
  if (error instanceof ConnectionLost) return connection ? delay : null;
  if (!(error instanceof ApiProblem)) return null;
  const { status, code, retryAfter } = error.problem;
  if (code !== 'sync-run-busy' && (status < 502 || status > 504)) return null;
  return retryAfter ?? delay;
}

/** Repeats work that may be repeated until it is done; in the end throws what it met last. */
export async function keepTrying<T>(
  work: () => Promise<T>,
  { seconds, connection, onWait, signal }: Patience,
): Promise<T> {
  let waited = 0;
  for (let attempt = 0; ; attempt++) {
    const began = performance.now();
    try {
      return await work();
    } catch (error) {
      if (performance.now() - began > 60_000) {
        waited = 0;
        attempt = 0;
      }
      const delay = delayOf(error, attempt, connection);
      if (delay === null || waited + delay > seconds) throw error;
      onWait?.(error instanceof ApiProblem ? error.problem.title : (error as ConnectionLost).reason, delay);
      await setTimeout(delay * 1000, undefined, signal ? { signal } : {});
      waited += delay;
    }
  }
}
