/** What all counters do. Each adapter's test file runs this suite. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Counters } from '#shared/rate-limit/counters.ts';

export interface OpenCounters {
  /** Of one process, and of another one where they share. */
  readonly counters: readonly [Counters, Counters];
  close(): Promise<void>;
}

export function countersContract(name: string, open: () => Promise<OpenCounters>): void {
  describe(`counters contract: ${name}`, () => {
    let opened: OpenCounters;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    test('each count is one more in its window, whoever counts, and keys do not mix', async () => {
      const [one, other] = opened.counters;
      const [key, another] = [randomUUID(), randomUUID()];
      for (let n = 1; n <= 6; n++) {
        const { count, milliseconds } = await (n % 2 ? one : other).count(key, 60_000);
        expect(count).toBe(n);
        expect(milliseconds).toBeGreaterThan(55_000);
        expect(milliseconds).toBeLessThanOrEqual(60_000);
      }
      expect((await one.count(another, 60_000)).count).toBe(1);
    });

    test('many at once are all counted, each as another number', async () => {
      const key = randomUUID();
      const counted = await Promise.all(
        Array.from({ length: 100 }, (_, n) => (opened.counters[n % 2] as Counters).count(key, 60_000)),
      );
      expect(counted.map(({ count }) => count).sort((a, b) => a - b)).toEqual(counted.map((_, n) => n + 1));
    });

    test('a window ends after its length, and another one begins', async () => {
      const [one] = opened.counters;
      const key = randomUUID();
      expect((await one.count(key, 300)).count).toBe(1);
      const window = async () => (await one.count(key, 300)).count;
      expect(await window()).toBe(2);
      await expect.poll(window, { interval: 50, timeout: 5_000 }).toBe(1);
    });
  });
}
