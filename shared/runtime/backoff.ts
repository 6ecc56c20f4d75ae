import type { Runtime } from '#shared/runtime/runtime.ts';

/**
 * Waits before attempt n (from 0): doubling from `base` to `cap` milliseconds, with jitter between half and whole,
 * so that many clients of a server that came back do not arrive together.
 */
export async function backOff(
  runtime: Runtime,
  attempt: number,
  options: { readonly base: number; readonly cap: number; readonly signal?: AbortSignal },
): Promise<void> {
  const full = Math.min(options.cap, options.base * 2 ** Math.min(attempt, 20));
  await runtime.sleep(full / 2 + (runtime.random() * full) / 2, options.signal);
}
