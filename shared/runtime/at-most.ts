/** Waiting with a limit, for work whose end is not needed: what comes later is dropped. */
import type { Runtime } from '#shared/runtime/runtime.ts';

/** The result of `work`, or `late` after so many milliseconds; rejects as `work` does before that. */
export async function atMost<T, L>(runtime: Runtime, milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  const waited = new AbortController();
  try {
    return await Promise.race([work, runtime.sleep(milliseconds, waited.signal).then(() => late)]);
  } finally {
    waited.abort();
  }
}
