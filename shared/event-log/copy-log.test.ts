import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { type CopyOptions, type CopyProgress, CopyUnverified, copyLog } from '#shared/event-log/copy-log.ts';
import { CopyConflict } from '#shared/event-log/copy-log-chains.ts';
import { LogsDiffer } from '#shared/event-log/copy-log-compare.ts';
import { eventText } from '#shared/event-log/copy-log-digest.ts';
import { type EventLog, LogUnavailable, type NewEvent, type RecordedEvent } from '#shared/event-log/event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { slotOf } from '#shared/transport/slot.ts';

const emptyLog = (id = '0000000b') => memoryEventLog({ id });
const never = new AbortController().signal;
const copy = (source: EventLog, target: EventLog, more: Partial<CopyOptions> = {}) =>
  copyLog({ source, target, signal: never, onProgress: () => undefined, ...more });

/** Appends one event, to the stream of this number of the tenant. */
async function add(log: EventLog, tenant: string, stream: number | string, event: NewEvent = newEvent(tenant)) {
  const name = typeof stream === 'string' ? stream : `selection-${tenant}-${stream}`;
  const revision = (await log.readLast(tenant, [name])).get(name)?.revision ?? 'none';
  const [result] = await log.append([{ stream: name, expected: revision, events: [event] }]);
  expect(result?.outcome).toBe('appended');
}

/** Events of many tenants, of which some share a slot; streams take turns, and now and then one gets several in a row. */
async function sourceOf(count: number, tenants = 12, id = '0000000a'): Promise<EventLog> {
  const log = memoryEventLog({ id });
  for (let index = 0; index < count; index++)
    await add(log, `tenant-${(index * 7) % tenants}`, index % 10 < 4 ? 0 : index % 3);
  return log;
}

/** What must be the same: the events of each slot, in order. */
async function bySlot(log: EventLog): Promise<Record<string, string[]>> {
  const slots: Record<string, string[]> = {};
  for (const event of await readLog(log)) {
    const slot = slotOf(event.metadata.tenant);
    slots[slot] = [...(slots[slot] ?? []), eventText(event)];
  }
  return slots;
}

/** A log that already holds the first events of another one, all or those of some slots. */
async function beginningOf(source: EventLog, count: number, wanted = (_: RecordedEvent) => true): Promise<EventLog> {
  const log = emptyLog();
  for (const { stream, revision, id, type, data, metadata } of (await readLog(source)).slice(0, count).filter(wanted))
    await log.append([
      { stream, expected: revision === 0 ? 'none' : revision - 1, events: [{ id, type, data, metadata }] },
    ]);
  return log;
}

describe('a copy', () => {
  test('holds the events of each slot in their order, under the same ids and revisions', async () => {
    const source = await sourceOf(700);
    const target = emptyLog();
    const told: CopyProgress[] = [];
    const result = await copy(source, target, { onProgress: (progress) => told.push(progress) });
    expect(result).toMatchObject({ before: 0, copied: 700, events: 700, growing: false });
    expect(await bySlot(target)).toEqual(await bySlot(source));
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual(['comparing', 'copying', 'verifying']);
    expect(told.every(({ fraction }) => fraction >= 0 && fraction <= 1)).toBe(true);
    expect(told.at(-1)).toEqual({ phase: 'verifying', events: 700, fraction: 1 });
  });

  test('made again adds nothing, and comes to the same digest, also in the other direction', async () => {
    const source = await sourceOf(200);
    const target = emptyLog();
    const first = await copy(source, target);
    const refusing = { ...target, append: () => Promise.reject(new Error('nothing is to be written')) };
    expect(await copy(source, refusing)).toEqual({ ...first, before: 200, copied: 0 });
    expect((await copy(target, source)).digest).toBe(first.digest);
  });

  test('of an empty log is an empty log', async () => {
    const result = await copy(memoryEventLog({ id: '0000000a' }), emptyLog());
    expect(result).toMatchObject({ before: 0, copied: 0, events: 0, growing: false });
  });

  test('of a log into itself is refused', async () => {
    const log = await sourceOf(1);
    await expect(copy(log, log)).rejects.toThrow(/same log/);
  });

  test('goes on over pages that hold nothing of ours', async () => {
    const source = await sourceOf(30);
    const sparse: EventLog = {
      ...source,
      async readAll(after, limit) {
        const page = await source.readAll(after, Math.min(limit, 3));
        // Every other page answers nothing, and that one can read on.
        sparseReads++;
        return sparseReads % 2 ? { events: [], position: after, end: false } : page;
      },
    };
    let sparseReads = 0;
    const target = emptyLog();
    expect(await copy(sparse, target)).toMatchObject({ copied: 30 });
    expect(await bySlot(target)).toEqual(await bySlot(source));
  });

  test('keeps awkward data, to the letter', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    const texts = [
      'a\u0000b',
      '\ufeffstart',
      'e\u0301 👩‍👩‍👧 \u202e',
      'a\u2028b\u2029c\r\nd\te',
      'x\ud83dy',
      '__proto__',
    ];
    for (const text of texts) {
      const data = JSON.parse(JSON.stringify({ z: 1, [text]: text, 10: [text], 9: { [text]: null }, n: -1.5e-300 }));
      await add(source, 'acme', 0, newEvent('acme', data));
    }
    const target = emptyLog();
    await copy(source, target);
    expect(await bySlot(target)).toEqual(await bySlot(source));
  });

  test('cuts a stream of the largest events into appends that the log takes', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    for (let index = 0; index < 9; index++) await add(source, 'acme', 0, newEvent('acme', 'x'.repeat(520_000)));
    for (let index = 0; index < 1_200; index++) await add(source, 'acme', 1);
    const target = emptyLog();
    const sizes: number[] = [];
    const watched: EventLog = {
      ...target,
      async append(appends) {
        sizes.push(...appends.map(({ events }) => events.length));
        // Long enough for the next ones to be read.
        await new Promise(setImmediate);
        return target.append(appends);
      },
    };
    await copy(source, watched);
    expect(await bySlot(target)).toEqual(await bySlot(source));
    expect(sizes.slice(0, 5)).toEqual([1, 2, 2, 2, 2]);
    expect(Math.max(...sizes)).toBe(500);
  });

  test('has one append under way in a slot, and many slots side by side, in whatever order they are answered', async () => {
    const source = await sourceOf(600, 30);
    const target = emptyLog();
    const underWay: { slot: number; answer: () => void }[] = [];
    let most = 0;
    let doubled = 0;
    const slow: EventLog = {
      ...target,
      append(appends) {
        const slot = slotOf(appends[0]?.events[0]?.metadata.tenant as string);
        if (underWay.some((each) => each.slot === slot)) doubled++;
        const { promise, resolve } = Promise.withResolvers<void>();
        underWay.push({ slot, answer: resolve });
        most = Math.max(most, underWay.length);
        return promise.then(() => target.append(appends));
      },
    };
    let ended = false;
    const copying = copy(source, slow).finally(() => {
      ended = true;
    });
    while (!ended) {
      // The last that was sent is answered first.
      underWay.pop()?.answer();
      await new Promise(setImmediate);
    }
    await copying;
    expect(doubled).toBe(0);
    expect(most).toBeGreaterThan(10);
    expect(await bySlot(target)).toEqual(await bySlot(source));
  });

  test('reads no further ahead of what is written than its memory allows', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    for (let index = 0; index < 80; index++) await add(source, 'acme', index, newEvent('acme', 'x'.repeat(500_000)));
    let read = 0;
    const byOnes: EventLog = {
      ...source,
      async readAll(after) {
        const page = await source.readAll(after, 1);
        read += page.events.length;
        return page;
      },
    };
    const target = emptyLog();
    const held = Promise.withResolvers<void>();
    let readWhenHeld = 0;
    const stuck: EventLog = { ...target, append: (appends) => held.promise.then(() => target.append(appends)) };
    const copying = copy(byOnes, stuck);
    for (let before = -1; before !== read; ) {
      before = read;
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    }
    readWhenHeld = read;
    held.resolve();
    expect(await copying).toMatchObject({ copied: 80 });
    expect(readWhenHeld).toBeGreaterThan(10);
    expect(readWhenHeld).toBeLessThan(25);
  });

  test('goes on until the end of a log that grows meanwhile, and says where it still grows', async () => {
    const source = await sourceOf(50);
    const target = emptyLog();
    let late = 0;
    const growing: EventLog = {
      ...target,
      async append(appends) {
        if (late++ < 20) await add(source, `late-${late}`, 0);
        return target.append(appends);
      },
    };
    expect(await copy(source, growing)).toMatchObject({ copied: 70, growing: false });
    expect(await bySlot(target)).toEqual(await bySlot(source));

    let verifying = false;
    const grownAtTheEnd = await copy(source, target, {
      onProgress({ phase }) {
        if (phase === 'verifying' && !verifying) void add(source, 'later', 0);
        verifying ||= phase === 'verifying';
      },
    });
    expect(grownAtTheEnd).toMatchObject({ copied: 0, events: 70, growing: true });
    expect(await copy(source, target)).toMatchObject({ before: 70, copied: 1, growing: false });
  });
});

describe('a copy that was cut', () => {
  /** Fails at the n-th append and from then on, before or after it was stored. */
  const failingAt = (target: EventLog, at: number, stored: boolean): EventLog => {
    let appends = 0;
    return {
      ...target,
      async append(streams) {
        const index = appends++;
        if (index < at) return target.append(streams);
        if (index === at && stored) await target.append(streams);
        throw new LogUnavailable('away');
      },
    };
  };

  test.each([true, false])('at any append goes on from there (the append was stored: %s)', async (stored) => {
    const source = await sourceOf(60);
    const whole = await bySlot(source);
    for (let at = 0; ; at++) {
      const target = emptyLog();
      let appends = 0;
      const counted: EventLog = { ...target, append: (streams) => target.append(streams).finally(() => appends++) };
      const cut = await copy(source, failingAt(counted, at, stored)).then(
        () => null,
        (error: unknown) => error,
      );
      if (cut === null) break;
      expect(cut).toBeInstanceOf(LogUnavailable);
      const there = (await readLog(target)).length;
      expect(await copy(source, target)).toMatchObject({ before: there, copied: 60 - there, events: 60 });
      expect(await bySlot(target)).toEqual(whole);
    }
  });

  test('again and again, a little further each time, is whole in the end', async () => {
    const source = await sourceOf(120);
    const target = emptyLog();
    let runs = 0;
    for (let done = false; !done; runs++)
      done = await copy(source, failingAt(target, 3, runs % 2 === 0)).then(
        () => true,
        () => false,
      );
    expect(runs).toBeGreaterThan(3);
    expect(await bySlot(target)).toEqual(await bySlot(source));
  });

  test('by its signal ends when nothing is under way, tells the reason, and goes on when made again', async () => {
    const source = await sourceOf(300);
    for (const phase of ['comparing', 'copying', 'verifying']) {
      const target = emptyLog();
      const stop = new AbortController();
      let underWay = 0;
      const watched: EventLog = {
        ...target,
        async append(appends) {
          underWay++;
          await new Promise(setImmediate);
          return target.append(appends).finally(() => underWay--);
        },
      };
      const onProgress = (progress: CopyProgress) => {
        if (progress.phase === phase && (phase !== 'copying' || progress.events > 50)) stop.abort(new Error('enough'));
      };
      await expect(copy(source, watched, { signal: stop.signal, onProgress })).rejects.toThrow('enough');
      expect(underWay).toBe(0);
      const there = (await readLog(target)).length;
      if (phase === 'copying') expect(there).toBeLessThan(300);
      expect(await copy(source, target)).toMatchObject({ before: there, copied: 300 - there });
      expect(await bySlot(target)).toEqual(await bySlot(source));
    }
  });

  test('because the source failed has written what was read, and goes on when made again', async () => {
    const source = await sourceOf(1_200);
    const target = emptyLog();
    let reads = 0;
    const failing: EventLog = {
      ...source,
      readAll: (after, limit) =>
        reads++ === 2 ? Promise.reject(new LogUnavailable('away')) : source.readAll(after, limit),
    };
    await expect(copy(failing, target)).rejects.toThrow('away');
    expect(await readLog(target)).toHaveLength(1_000);
    expect(await copy(source, target)).toMatchObject({ before: 1_000, copied: 200 });
  });
});

describe('a target is refused, and nothing written into it,', () => {
  async function refusal(source: EventLog, target: EventLog): Promise<LogsDiffer> {
    const before = await readLog(target);
    const error = await copy(source, target).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(await readLog(target)).toEqual(before);
    expect(error).toBeInstanceOf(LogsDiffer);
    return error as LogsDiffer;
  }

  test('that has an event more than the source', async () => {
    const source = await sourceOf(40);
    const target = await beginningOf(source, 40);
    await add(target, 'tenant-3', 'selection-own');
    const error = await refusal(source, target);
    expect(error.message).toMatch(
      /In slot \d+ the target holds \d+ events, the source \d+. The first that the source lacks is SelectionRenamed .*\(selection-own, revision 0, tenant tenant-3, /,
    );
    expect(error).toMatchObject({ beyond: true, event: { stream: 'selection-own' } });
  });

  test('that has the same event with other data or metadata; the data is not shown', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    const target = emptyLog();
    const first = newEvent('acme', { text: 'secret one' });
    await add(source, 'acme', 0, first);
    await add(target, 'acme', 0, { ...first, data: { text: 'secret two' } });
    const { message, beyond } = await refusal(source, target);
    expect(message).toMatch(
      /event 1 differs: the source has SelectionRenamed .*, the target the same with other data\.$/,
    );
    expect(message).not.toContain('secret');
    expect(beyond).toBe(false);
    const other = emptyLog('0000000c');
    await add(other, 'acme', 0, { ...first, metadata: { ...first.metadata, actor: 'somebody' } });
    expect((await refusal(source, other)).message).toMatch(/the same with other metadata\.$/);
  });

  test('that has the events of a slot in another order', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    const target = emptyLog();
    const [a, b] = [newEvent('acme'), newEvent('acme')];
    await add(source, 'acme', 0, a);
    await add(source, 'acme', 1, b);
    await add(target, 'acme', 1, b);
    await add(target, 'acme', 0, a);
    expect((await refusal(source, target)).message).toMatch(/event 1 differs: .*selection-acme-0.*selection-acme-1/);
  });

  test("that is another installation's", async () => {
    const { message } = await refusal(await sourceOf(40), await sourceOf(30, 12, '0000000b'));
    expect(message).toMatch(/In slot \d+ \(the first of \d+ that differ\) event 1 differs/);
  });

  test('but not where slots stand in another order to each other', async () => {
    const source = memoryEventLog({ id: '0000000a' });
    const target = emptyLog();
    const [a, b] = [newEvent('acme'), newEvent('demo')];
    await add(source, 'acme', 0, a);
    await add(source, 'demo', 0, b);
    await add(target, 'demo', 0, b);
    expect(await copy(source, target)).toMatchObject({ before: 1, copied: 1 });
  });

  test.each(['data', 'metadata', 'type', 'id', 'order', 'one more'])(
    'exactly where it is no beginning of the source, slot by slot: %s',
    async (change) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ tenant: fc.integer({ min: 0, max: 5 }), stream: fc.integer({ min: 0, max: 2 }) }), {
            minLength: 2,
            maxLength: 25,
          }),
          fc.nat(),
          fc.nat(),
          async (script, cutAt, changedAt) => {
            const source = memoryEventLog({ id: '0000000a' });
            for (const { tenant, stream } of script) await add(source, `t${tenant}`, stream);
            // Each slot is cut at another place.
            const lengths = new Map<number, number>();
            const there = (await readLog(source)).filter(({ metadata }) => {
              const slot = slotOf(metadata.tenant);
              const length = lengths.get(slot) ?? 0;
              lengths.set(slot, length + 1);
              return length < (cutAt * (slot + 1)) % 7;
            });
            const target = emptyLog();
            for (const event of there) await add(target, event.metadata.tenant, event.stream, event);
            expect(await copy(source, target)).toMatchObject({ before: there.length, events: script.length });
            expect(await bySlot(target)).toEqual(await bySlot(source));

            if (there.length === 0) return;
            const at = changedAt % there.length;
            const changed = emptyLog('0000000c');
            for (const [index, event] of there.entries()) {
              const { tenant } = event.metadata;
              if (index !== at || change === 'one more') await add(changed, tenant, event.stream, event);
              if (index !== at) continue;
              if (change === 'order' || change === 'one more') await add(changed, tenant, 'selection-of-its-own');
              if (change === 'order') await add(changed, tenant, event.stream, event);
              if (change === 'data') await add(changed, tenant, event.stream, { ...event, data: { text: 'y' } });
              if (change === 'id') await add(changed, tenant, event.stream, { ...event, id: randomUUID() });
              if (change === 'type') await add(changed, tenant, event.stream, { ...event, type: 'Other' });
              if (change === 'metadata')
                await add(changed, tenant, event.stream, { ...event, metadata: { ...event.metadata, actor: 'x' } });
            }
            await refusal(source, changed);
          },
        ),
        { numRuns: 40 },
      );
    },
  );
});

describe('what goes wrong while copying is told:', () => {
  test('somebody else writes into the target', async () => {
    const source = await sourceOf(60);
    const target = emptyLog();
    let disturbed = false;
    const disturbing: EventLog = {
      ...target,
      async append(appends) {
        const { stream, events } = appends[0] as (typeof appends)[number];
        if (!disturbed) await target.append([{ stream, expected: 'none', events: [newEvent('intruder')] }]);
        disturbed = true;
        return target.append([{ stream, expected: appends[0]?.expected ?? 'none', events }]);
      },
    };
    const error = await copy(source, disturbing).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CopyConflict);
    expect((error as Error).message).toMatch(
      /The target did not take selection-.*, revision 0: the stream is at revision 0/,
    );
  });

  test('… also beside what is copied, which the comparison at the end finds', async () => {
    const source = await sourceOf(60);
    const target = emptyLog();
    let disturbed = false;
    const error = await copy(source, target, {
      onProgress({ phase }) {
        if (phase === 'copying' && !disturbed) void add(target, 'intruder', 0);
        disturbed ||= phase === 'copying';
      },
    }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CopyUnverified);
  });

  test('the target loses what it acknowledged, or stores something else', async () => {
    const source = await sourceOf(60);
    const forgetful = emptyLog();
    const acknowledged = { outcome: 'appended' as const, revision: 0, position: null };
    const forgetting: EventLog = {
      ...forgetful,
      append: (appends) =>
        appends[0]?.stream === 'selection-tenant-3-0' ? Promise.resolve([acknowledged]) : forgetful.append(appends),
    };
    await expect(copy(source, forgetting)).rejects.toThrow(/The target lacks \d+ events although it acknowledged them/);
    const careless = emptyLog('0000000c');
    const altering: EventLog = {
      ...careless,
      append: (appends) =>
        careless.append(
          appends.map((append) => ({ ...append, events: append.events.map((event) => ({ ...event, data: null })) })),
        ),
    };
    await expect(copy(source, altering)).rejects.toBeInstanceOf(CopyUnverified);
  });

  test('the source lacks the beginning of a stream', async () => {
    const source = await sourceOf(20);
    const [gone] = await readLog(source);
    const truncated: EventLog = {
      ...source,
      async readAll(after, limit) {
        const page = await source.readAll(after, limit);
        return { ...page, events: page.events.filter(({ id }) => id !== gone?.id) };
      },
    };
    await expect(copy(truncated, emptyLog())).rejects.toThrow(
      /did not take selection-tenant-0-0, revision 1: the stream does not exist there. Either .* gone from the source/,
    );
  });
});

test('a digest changes with any event, and not with the order of slots among each other', async () => {
  const events = [newEvent('acme'), newEvent('demo'), newEvent('acme')];
  const digestOf = async (list: readonly NewEvent[]) => {
    const source = memoryEventLog({ id: '0000000a' });
    for (const event of list) await add(source, event.metadata.tenant, 0, event);
    return (await copy(source, emptyLog())).digest;
  };
  const [a, b, c] = events as [NewEvent, NewEvent, NewEvent];
  const digest = await digestOf([a, b, c]);
  expect(digest).toMatch(/^sha-256:[0-9a-f]{64}$/);
  expect(await digestOf([b, a, c])).toBe(digest);
  expect(await digestOf([c, b, a])).not.toBe(digest);
  expect(await digestOf([a, b])).not.toBe(digest);
  expect(await digestOf([a, { ...b, data: { text: 'X' } }, c])).not.toBe(digest);
});
