import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { sharedTail } from '#shared/event-log/eventstoredb/shared-tail.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';

/** A log behind a shared tail; pages weigh so much that only a few are kept. */
function shared(bytesOfEvent: number) {
  const log = memoryEventLog();
  let reads = 0;
  const readAll = sharedTail(async (after, limit) => {
    reads++;
    const page = await log.readAll(after, limit);
    return { ...page, bytes: page.events.length * bytesOfEvent };
  });
  const append = (count: number) =>
    log.append(
      Array.from({ length: count }, () => ({
        stream: `selection-${crypto.randomUUID()}`,
        expected: 'none' as const,
        events: [newEvent('acme')],
      })),
    );
  return { log, readAll, append, reads: () => reads };
}

describe('pages near the end of the log', () => {
  test('are read once for several readers', async () => {
    const { log, readAll, append, reads } = shared(100);
    await append(30);
    const [one, other] = await Promise.all([readAll(log.start, 50), readAll(log.start, 50)]);
    const late = await readAll(one.events[9]?.position as string, 5);
    expect(reads()).toBe(1);
    expect(other.events).toEqual(one.events);
    expect(late.events).toEqual(one.events.slice(10, 15));
    expect(late.position).toBe(one.events[14]?.position);
  });

  test('never say that the log ends there: the server is asked', async () => {
    const { log, readAll, append } = shared(100);
    await append(3);
    expect((await readAll(log.start, 10)).end).toBe(true);
    await append(2);
    const again = await readAll(log.start, 10);
    expect(again).toMatchObject({ end: false });
    expect((await readAll(again.position, 10)).events).toHaveLength(2);
  });

  test('end where they end for whoever asks, not where they ended for somebody who had asked before', async () => {
    const log = memoryEventLog();
    const answers: (() => void)[] = [];
    const readAll = sharedTail(async (after, limit) => {
      const page = await log.readAll(after, limit);
      // On its way, while the log goes on.
      if (answers.length === 0) await new Promise<void>((answer) => answers.push(answer));
      return { ...page, bytes: 1 };
    });
    const early = readAll(log.start, 10);
    await expect.poll(() => answers.length).toBe(1);
    await log.append([{ stream: 'selection-1', expected: 'none', events: [newEvent('acme')] }]);
    const late = readAll(log.start, 10);
    answers[0]?.();
    expect([(await early).events.length, (await late).events.length]).toEqual([0, 1]);
  });

  test('show every reader every event once and in order, whoever reads, appends, or is late', async () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ reader: fc.integer({ min: 0, max: 3 }), limit: fc.integer({ min: 1, max: 12 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { log, readAll, append } = shared(1024 * 1024);
        const readers = Array.from({ length: 4 }, () => ({ at: log.start, seen: [] as string[] }));
        const read = async (index: number, limit: number) => {
          const reader = readers[index] as (typeof readers)[number];
          const page = await readAll(reader.at, limit);
          expect(page.events.length).toBeLessThanOrEqual(limit);
          reader.seen.push(...page.events.map(({ id }) => id));
          reader.at = page.position;
          return page.end;
        };
        for (const one of steps) {
          if ('append' in one) await append(one.append);
          else await read(one.reader, one.limit);
        }
        for (const index of readers.keys()) while (!(await read(index, 7)));
        const all = (await log.readAll(log.start, 10_000)).events.map(({ id }) => id);
        for (const { seen } of readers) expect(seen).toEqual(all);
      }),
      { numRuns: 200 },
    );
  });
});
