/** A copy into EventStoreDB and back, on the server that the run is about; what goes wrong, on a double of its own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { copyLog } from '#shared/event-log/copy-log.ts';
import { LogsDiffer } from '#shared/event-log/copy-log-compare.ts';
import { eventText } from '#shared/event-log/copy-log-digest.ts';
import { type EventLog, LogUnavailable } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { testEventStore } from '#shared/testing/test-event-store.ts';
import { slotOf } from '#shared/transport/slot.ts';

const streams = 150;
const awkward = ['a\u0000b', '\ufeffstart', 'x\ud83dy', 'a\u2028b\r\n', '__proto__', '\\u0000 "\\"'];
const total = streams * awkward.length + 4;

let server: EventStoreDouble;
let source: EventLog;
let wanted: ReadonlyMap<number, readonly string[]>;

beforeAll(async () => {
  server = await startEventStoreDouble();
  source = memoryEventLog({ id: '0000000a' });
  for (let index = 0; index < streams; index++) {
    const tenant = `tenant-${index % 40}`;
    const texts = awkward.map((text) =>
      newEvent(tenant, JSON.parse(JSON.stringify({ text, 10: 1, 9: [text], nested: { [text]: null }, n: -1.5e-300 }))),
    );
    await source.append([{ stream: `selection-${index}`, expected: 'none', events: texts.slice(0, 2) }]);
    await source.append([{ stream: `selection-${index}`, expected: 1, events: texts.slice(2) }]);
  }
  const large = Array.from({ length: 4 }, () => newEvent('tenant-3', 'x'.repeat(520_000)));
  await source.append([{ stream: 'selection-large', expected: 'none', events: large.slice(0, 2) }]);
  await source.append([{ stream: 'selection-large', expected: 1, events: large.slice(2) }]);
  wanted = await bySlot(source);
});
afterAll(() => server[Symbol.asyncDispose]());

async function bySlot(log: EventLog): Promise<ReadonlyMap<number, readonly string[]>> {
  const events = await readLog(log);
  const slots = Map.groupBy(events, ({ metadata }) => slotOf(metadata.tenant));
  return new Map([...slots].sort(([a], [b]) => a - b).map(([slot, each]) => [slot, each.map(eventText)]));
}

const copy = (from: EventLog, to: EventLog) =>
  copyLog({ source: from, target: to, signal: new AbortController().signal, onProgress: () => undefined });

/** Ten times as fast as real time: what patience there is ends sooner. */
const hasty: Runtime = {
  ...systemRuntime,
  now: () => new Date(Date.now() * 10),
  sleep: (milliseconds, signal) => systemRuntime.sleep(milliseconds / 10, signal),
};

/** A process has one client of EventStoreDB at a time. */
async function withLog<T>(
  prefix: string,
  work: (log: EventLog) => Promise<T>,
  { url = server.url, runtime = systemRuntime }: { url?: string; runtime?: Runtime } = {},
): Promise<T> {
  const log = await eventStoreLog({ url, prefix, runtime });
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

test('into EventStoreDB and back comes the same, beside what other installations keep on the server', async () => {
  const { url, prefix } = testEventStore() ?? { url: server.url, prefix: 'test.' };
  const first = await withLog(`${prefix}one.`, (log) => copy(source, log), { url });
  expect(first).toMatchObject({ before: 0, copied: total, events: total, growing: false });
  await withLog(
    `${prefix}two.`,
    async (log) => {
      await log.append([{ stream: 'selection-1', expected: 'none', events: [newEvent('tenant-1')] }]);
      await expect(copy(source, log)).rejects.toBeInstanceOf(LogsDiffer);
    },
    { url },
  );
  await withLog(
    `${prefix}one.`,
    async (log) => {
      expect(await bySlot(log)).toEqual(wanted);
      const back = memoryEventLog({ id: '0000000b' });
      expect(await copy(log, back)).toEqual(first);
      expect(await bySlot(back)).toEqual(wanted);
      expect(await copy(source, log)).toEqual({ ...first, before: total, copied: 0 });
    },
    { url },
  );
});

test('a server that dies, loses answers, moves its lead or stands still while it is written is ridden out', async () => {
  await withLog('faults.', async (log) => {
    const kinds = [
      'gone-before',
      'cut-after',
      'not-leader',
      'timeout-after',
      'frozen',
      'gone-after',
      'not-ready',
    ] as const;
    kinds.forEach((kind, index) => void server.inject({ on: 'append', nth: 10 + index * 20, kind, durationMs: 300 }));
    expect(await copy(source, log)).toMatchObject({ copied: total, events: total });
    expect(await bySlot(log)).toEqual(wanted);
  });
  server.clearFaults();
});

test('a server that stays away ends it with that message, and the same copy goes on when it is back', async () => {
  await withLog(
    'away.',
    async (log) => {
      let appends = 0;
      const dying: EventLog = {
        ...log,
        append(list) {
          if (++appends === 60) void server.kill();
          return log.append(list);
        },
      };
      await expect(copy(source, dying)).rejects.toBeInstanceOf(LogUnavailable);
    },
    { runtime: hasty },
  );
  await server.restart();
  await withLog('away.', async (log) => {
    const { before, copied } = await copy(source, log);
    expect(before).toBeGreaterThan(0);
    expect(before + copied).toBe(total);
    expect(await bySlot(log)).toEqual(wanted);
  });
});
