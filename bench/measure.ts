/** Timing of many like things, and the words for the result. */

export interface Spread {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Runs `work` so many times, so many at once. Times in milliseconds. */
export async function measure(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<unknown>,
): Promise<Spread> {
  const times: number[] = [];
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) {
        const index = next++;
        const start = performance.now();
        await work(index);
        times.push(performance.now() - start);
      }
    }),
  );
  return spreadOf(times, (performance.now() - began) / 1000);
}

/** Of times in milliseconds that were taken in so many seconds. */
export function spreadOf(times: readonly number[], seconds: number): Spread {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { perSecond: times.length / seconds, p50: at(0.5), p99: at(0.99) };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
