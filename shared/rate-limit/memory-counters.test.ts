import { expect, test } from 'vitest';
import { countersContract } from '#shared/rate-limit/contract.ts';
import { memoryCounters } from '#shared/rate-limit/memory-counters.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';

countersContract('memory', async () => {
  const counters = memoryCounters(systemRuntime);
  return { counters: [counters, counters], close: async () => undefined };
});

test('a flood of keys does not grow it, and whoever goes on counting is kept', async () => {
  const counters = memoryCounters(systemRuntime);
  for (let n = 0; n < 60_000; n++) {
    await counters.count(`flood-${n}`, 60_000);
    if (n % 1_000 === 0) await counters.count('steady', 60_000);
  }
  expect((await counters.count('flood-0', 60_000)).count).toBe(1);
  expect((await counters.count('steady', 60_000)).count).toBe(61);
});
