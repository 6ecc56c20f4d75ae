/** What every event log does, whatever it is made of. Each adapter's test file runs this suite. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AppendResult,
  type EventLog,
  ForeignPosition,
  maxEventBytes,
  type NewEvent,
  type RecordedEvent,
} from '#shared/event-log/event-log.ts';
import { readLog } from '#shared/testing/read-log.ts';

export function newEvent(tenant: string, data: unknown = { text: 'x' }, id: string = randomUUID()): NewEvent {
  return {
    id,
    type: 'SelectionRenamed',
    data,
    metadata: {
      tenant,
      recordedAt: '2026-11-01T10:00:00.000Z',
      actor: 'user-1',
      commandId: randomUUID(),
      requestHash: 'none',
      correlationId: randomUUID(),
      causationId: null,
      traceparent: null,
      schemaVersion: 1,
    },
  };
}

const all = async (events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> => Array.fromAsync(events);
const newStream = () => `selection-${randomUUID()}`;
const appended = (result: AppendResult | undefined) => {
  if (result?.outcome !== 'appended') throw new Error(`not appended: ${JSON.stringify(result)}`);
  return result;
};

export function eventLogContract(name: string, open: () => Promise<{ log: EventLog; close(): Promise<void> }>): void {
  describe(`event log contract: ${name}`, () => {
    let log: EventLog;
    let close: () => Promise<void>;
    const tenant = `t-${randomUUID().slice(0, 8)}`;
    const one = async (stream: string, expected: number | 'none', events: NewEvent[]) =>
      (await log.append([{ stream, expected, events }]))[0];

    beforeAll(async () => {
      ({ log, close } = await open());
    });
    afterAll(async () => {
      await close();
    });

    test('an event comes back as it was recorded', async () => {
      const stream = newStream();
      const event = newEvent(tenant, { text: 'hello', nested: { list: [1, null, true] } });
      const result = appended(await one(stream, 'none', [event]));
      const [stored] = await all(log.readStream(tenant, stream));
      expect(stored).toEqual({ ...event, stream, revision: 0, position: result.position });
    });

    test('a stale expectation is a conflict that tells the actual revision, and adds nothing', async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant), newEvent(tenant)]);
      expect(await one(stream, 0, [newEvent(tenant)])).toEqual({ outcome: 'conflict', expected: 0, actual: 1 });
      expect(await one(stream, 7, [newEvent(tenant)])).toEqual({ outcome: 'conflict', expected: 7, actual: 1 });
      expect(await all(log.readStream(tenant, stream))).toHaveLength(2);
    });

    test('"none" on an existing stream is a conflict', async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant)]);
      expect(await one(stream, 'none', [newEvent(tenant)])).toEqual({
        outcome: 'conflict',
        expected: 'none',
        actual: 0,
      });
    });

    test('a number on a missing stream is a conflict', async () => {
      expect(await one(newStream(), 0, [newEvent(tenant)])).toEqual({
        outcome: 'conflict',
        expected: 0,
        actual: 'none',
      });
    });

    test('of two concurrent appends exactly one wins', async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant)]);
      const results = await Promise.all(Array.from({ length: 20 }, () => one(stream, 0, [newEvent(tenant)])));
      expect(results.filter((result) => result?.outcome === 'appended')).toHaveLength(1);
      expect(results.filter((result) => result?.outcome === 'conflict')).toHaveLength(19);
      expect(await all(log.readStream(tenant, stream))).toHaveLength(2);
    });

    test('concurrent callers on one stream, each expecting the one before, are judged in the order they came', async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant)]);
      const results = await Promise.all([0, 1, 2, 3].map((expected) => one(stream, expected, [newEvent(tenant)])));
      expect(results.map((result) => result?.outcome)).toEqual(['appended', 'appended', 'appended', 'appended']);
    });

    test('of several streams each is judged on its own: a conflict of one is no failure of the others', async () => {
      const [a, b, c] = [newStream(), newStream(), newStream()];
      await one(b, 'none', [newEvent(tenant)]);
      const results = await log.append(
        [a, b, c].map((stream) => ({ stream, expected: 'none' as const, events: [newEvent(tenant)] })),
      );
      expect(results.map((result) => result.outcome)).toEqual(['appended', 'conflict', 'appended']);
      expect(await all(log.readStream(tenant, c))).toHaveLength(1);
      expect(await all(log.readStream(tenant, b))).toHaveLength(1);
    });

    test('an empty append records nothing and checks nothing', async () => {
      const stream = newStream();
      const before = await log.head();
      expect(await one(stream, 'none', [])).toEqual({ outcome: 'appended', revision: -1, position: null });
      expect(await one(stream, 4, [])).toEqual({ outcome: 'appended', revision: 4, position: null });
      expect(await log.append([])).toEqual([]);
      expect(await readLog(log, before)).toEqual([]);
    });

    test('an append repeated unchanged answers as the first time', async () => {
      const stream = newStream();
      const events = [newEvent(tenant), newEvent(tenant)];
      const first = appended(await one(stream, 'none', events));
      expect(await one(stream, 'none', events)).toEqual(first);
      expect(await all(log.readStream(tenant, stream))).toHaveLength(2);
    });

    test('… also after later events, and after a first one on an existing stream', async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant)]);
      const events = [newEvent(tenant), newEvent(tenant)];
      const first = appended(await one(stream, 0, events));
      await one(stream, 2, [newEvent(tenant)]);
      expect(await one(stream, 0, events)).toEqual(first);
      expect(await all(log.readStream(tenant, stream))).toHaveLength(4);
    });

    test('a part of an earlier batch with new events behind it is a conflict', async () => {
      const stream = newStream();
      const events = [newEvent(tenant), newEvent(tenant)];
      await one(stream, 'none', events);
      const result = await one(stream, 'none', [...events, newEvent(tenant)]);
      expect(result).toEqual({ outcome: 'conflict', expected: 'none', actual: 1 });
      expect(await all(log.readStream(tenant, stream))).toHaveLength(2);
    });

    test('the same ids under a refreshed expectation are new events: repeat unchanged, or read first', async () => {
      const stream = newStream();
      const events = [newEvent(tenant)];
      await one(stream, 'none', events);
      expect(appended(await one(stream, 0, events)).revision).toBe(1);
    });

    test('an event over the limit is refused and leaves nothing', async () => {
      const stream = newStream();
      const result = await one(stream, 'none', [newEvent(tenant, { text: 'x'.repeat(maxEventBytes) })]);
      expect(result).toMatchObject({ outcome: 'too-large', limit: maxEventBytes });
      expect(await all(log.readStream(tenant, stream))).toEqual([]);
    });

    test('an append over the limit is refused as a whole', async () => {
      const stream = newStream();
      const big = () => newEvent(tenant, { text: 'x'.repeat(400_000) });
      expect(await one(stream, 'none', [big(), big(), big()])).toMatchObject({ outcome: 'too-large' });
      expect(await all(log.readStream(tenant, stream))).toEqual([]);
      expect(appended(await one(stream, 'none', [big(), big()])).revision).toBe(1);
    });

    test("another tenant's stream is missing to every read", async () => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant)]);
      expect(await all(log.readStream('other', stream))).toEqual([]);
      expect((await log.readLast('other', [stream])).size).toBe(0);
      expect(await one(stream, 'none', [newEvent('other')])).toMatchObject({ outcome: 'conflict' });
    });

    test('a missing stream has no events and no last one', async () => {
      expect(await all(log.readStream(tenant, newStream()))).toEqual([]);
      expect((await log.readLast(tenant, [newStream()])).size).toBe(0);
    });

    test('the last events of many streams come in one go', async () => {
      const streams = Array.from({ length: 30 }, newStream);
      await log.append(
        streams.map((stream) => ({ stream, expected: 'none' as const, events: [newEvent(tenant), newEvent(tenant)] })),
      );
      const last = await log.readLast(tenant, [...streams, newStream()]);
      expect([...last.keys()].sort()).toEqual([...streams].sort());
      expect([...last.values()].every((event) => event.revision === 1)).toBe(true);
    });

    test('a long stream is read whole, and from a revision on', async () => {
      const stream = newStream();
      await one(
        stream,
        'none',
        Array.from({ length: 450 }, () => newEvent(tenant)),
      );
      const events = await all(log.readStream(tenant, stream));
      expect(events.map((event) => event.revision)).toEqual(Array.from({ length: 450 }, (_, index) => index));
      expect((await all(log.readStream(tenant, stream, 440))).map((event) => event.revision)[0]).toBe(440);
    });

    test('paging gives every event once, in order, across batches; positions rise with their text', async () => {
      const before = await log.head();
      const stream = newStream();
      for (let batch = 0; batch < 5; batch++)
        await one(
          stream,
          batch === 0 ? 'none' : batch * 7 - 1,
          Array.from({ length: 7 }, () => newEvent(tenant)),
        );
      const seen = await readLog(log, before, 4);
      expect(seen.map((event) => event.stream)).toEqual(Array.from({ length: 35 }, () => stream));
      expect(seen.map((event) => event.revision)).toEqual(Array.from({ length: 35 }, (_, index) => index));
      const positions = seen.map((event) => event.position);
      expect(positions).toEqual([...new Set(positions)].sort());
      const head = await log.head();
      expect(head >= (positions.at(-1) as string)).toBe(true);
      expect(await readLog(log, head)).toEqual([]);
    });

    test('reading resumes after a position, without that event', async () => {
      const stream = newStream();
      const first = appended(await one(stream, 'none', [newEvent(tenant)]));
      const second = appended(await one(stream, 0, [newEvent(tenant)]));
      const page = await log.readAll(first.position as string, 10);
      expect(page.events[0]?.position).toBe(second.position);
    });

    test('an event is found again at its position, and nothing at the start of the log', async () => {
      const stream = newStream();
      const event = newEvent(tenant);
      const { position } = appended(await one(stream, 'none', [event]));
      await one(stream, 0, [newEvent(tenant)]);
      expect(await log.readAt(position as string)).toEqual({ ...event, stream, revision: 0, position });
      expect(await log.readAt(log.start)).toBeNull();
    });

    test('the whole log is read from its start', async () => {
      const { position } = appended(await one(newStream(), 'none', [newEvent(tenant)]));
      const positions = (await readLog(log, log.start)).map((event) => event.position);
      expect(positions).toContain(position);
      expect(positions).toEqual([...new Set(positions)].sort());
    });

    test('appends of one call to one stream are judged in their order', async () => {
      const stream = newStream();
      const results = await log.append(
        (['none', 0, 1, 1] as const).map((expected) => ({ stream, expected, events: [newEvent(tenant)] })),
      );
      expect(results.map(({ outcome }) => outcome)).toEqual(['appended', 'appended', 'appended', 'conflict']);
    });

    test('a position of another log is refused', async () => {
      const foreign = log.start.replace(/^[0-9a-f]{8}/, (id) => (id === 'ffffffff' ? '00000000' : 'ffffffff'));
      await expect(log.readAll(foreign, 1)).rejects.toBeInstanceOf(ForeignPosition);
      await expect(log.readAt(foreign)).rejects.toBeInstanceOf(ForeignPosition);
    });

    test('a subscription catches up, says so, goes live, and ends when it is told to', async () => {
      const before = await log.head();
      const stream = newStream();
      await one(
        stream,
        'none',
        Array.from({ length: 3 }, () => newEvent(tenant)),
      );
      const stop = new AbortController();
      const seen: number[] = [];
      let caughtUp = 0;
      for await (const message of log.subscribe(before, stop.signal)) {
        if (message.kind === 'caught-up') {
          if (++caughtUp === 1) await one(stream, 2, [newEvent(tenant)]);
          continue;
        }
        seen.push(...message.events.filter((event) => event.stream === stream).map((event) => event.revision));
        if (seen.includes(3)) stop.abort();
      }
      expect(seen).toEqual([0, 1, 2, 3]);
      expect(caughtUp).toBeGreaterThanOrEqual(1);
    });

    test.each([
      ['a NUL', 'a\u0000b'],
      ['a byte order mark', '\ufeffstart'],
      ['emoji and combining marks', 'e\u0301 👩‍👩‍👧 \u202e'],
      ['line separators', 'a\u2028b\u2029c\r\nd\te'],
      ['quotes and backslashes', '\\u0000 "\\" \'; drop table events; --'],
      ['a lone surrogate', 'x\ud83dy'],
    ])('awkward text survives: %s', async (_, text) => {
      const stream = newStream();
      await one(stream, 'none', [newEvent(tenant, { text, [text]: 1 })]);
      expect((await all(log.readStream(tenant, stream)))[0]?.data).toEqual({ text, [text]: 1 });
    });
  });
}
