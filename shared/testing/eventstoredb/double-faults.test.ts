/** Every fault at appends and reads, as the real client sees it, and that the client goes on afterwards. */
import { randomUUID } from 'node:crypto';
import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import { describe, expect, test } from 'vitest';
import {
  append,
  doubleAndClient,
  events,
  eventually,
  failureOf,
  idsOf,
  isOpen,
  persistently,
  storedIds,
} from './double-and-client.ts';
import type { FaultKind } from './faults.ts';

const durationMs = 100;
const anAppend = (stream: string) => ({ stream, id: randomUUID(), expectedRevision: 'no_stream' }) as const;

describe('append', () => {
  test.each<[FaultKind, stored: boolean, type: string | undefined, code: number | undefined]>([
    ['unavailable', false, 'unavailable', 14],
    ['gone-before', false, 'unavailable', 14],
    ['gone-after', true, 'unavailable', 14],
    ['cut-before', false, 'unavailable', 14],
    ['cut-after', true, 'unavailable', 14],
    ['not-leader', false, 'not-leader', 5],
    ['not-ready', false, 'unknown', undefined],
    ['timeout-before', false, 'deadline-exceeded', undefined],
    ['timeout-after', true, 'deadline-exceeded', undefined],
  ])('%s: stored %s, type %s, code %s', async (kind, stored, type, code) => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    const one = anAppend('a');
    await append(client, anAppend('before'));
    double.inject({ on: 'append', nth: 2, kind, durationMs });
    await append(client, anAppend('between'));

    expect(await failureOf(append(client, one))).toMatchObject({ type, code });
    expect(storedIds(double).includes(one.id)).toBe(stored);
    expect(double.waitingFaults()).toBe(0);

    // Repeated unchanged it is stored once, and answered as it would have been the first time.
    expect(await persistently(() => append(client, one))).toMatchObject({ success: true, nextExpectedRevision: 0n });
    expect(await idsOf(client, 'a')).toEqual([one.id]);
  });

  test.each<[FaultKind, stored: boolean]>([
    ['unanswered-before', false],
    ['unanswered-after', true],
  ])('%s: stored %s, while the client waits for ever and others are served', async (kind, stored) => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    const one = anAppend('a');
    // On a fresh connection concurrent appends may overtake each other.
    await append(client, anAppend('before'));
    double.inject({ on: 'append', nth: 1, kind });
    const call = append(client, one);
    await append(client, anAppend('b'));
    expect(await isOpen(call)).toBe(true);
    expect(storedIds(double).includes(one.id)).toBe(stored);
    const failure = failureOf(call);
    await client.dispose();
    expect((await failure).message).toContain('Cancelled');
  });

  test('frozen: it is answered late, and in its order', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await append(client, anAppend('before'));
    double.inject({ on: 'append', nth: 1, kind: 'frozen', durationMs });
    const started = performance.now();
    const answers = await Promise.all(
      [-1n, 0n, 1n].map((revision) =>
        append(client, {
          stream: 'a',
          id: randomUUID(),
          expectedRevision: revision < 0 ? 'no_stream' : revision,
        }),
      ),
    );
    expect(performance.now() - started).toBeGreaterThan(durationMs * 0.9);
    expect(answers.map(({ nextExpectedRevision }) => nextExpectedRevision)).toEqual([0n, 1n, 2n]);
  });

  test('not-leader: the client goes to where it was told', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    double.inject({ on: 'append', nth: 1, kind: 'not-leader' });
    await expect(append(client, anAppend('a'))).rejects.toMatchObject({
      leader: { address: '127.0.0.1', port: double.port },
    });
    await append(client, anAppend('a'));
  });

  test('not-ready: in the words of the real server', async () => {
    await using both = await doubleAndClient();
    both.double.inject({ on: 'append', nth: 1, kind: 'not-ready' });
    const { message } = await failureOf(append(both.client, anAppend('a')));
    expect(message).toBe('Could not recognize Server Is Not Ready');
  });
});

describe('read', () => {
  /** What the reader got before the end, and how it ended. */
  async function readAll(read: AsyncIterable<AllStreamResolvedEvent>): Promise<{ count: number; error: unknown }> {
    let count = 0;
    try {
      for await (const _event of read) count += 1;
      return { count, error: undefined };
    } catch (error) {
      return { count, error };
    }
  }

  test.each<[FaultKind, seen: number, type: string, code: number]>([
    ['unavailable', 0, 'unavailable', 14],
    ['gone-before', 0, 'unavailable', 14],
    ['cut-before', 0, 'unavailable', 14],
    ['cut-after', 5, 'unavailable', 14],
    ['not-leader', 0, 'not-leader', 5],
    ['not-ready', 0, 'unavailable', 14],
    ['timeout-before', 0, 'timeout', 10],
    ['timeout-after', 5, 'timeout', 10],
  ])('%s: after %i of 10 events type %s, code %i', async (kind, seen, type, code) => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(10), { expectedRevision: 'no_stream' });
    const read = () => readAll(client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 10 }));
    double.inject({ on: 'read', nth: 2, kind, durationMs });
    expect(await read()).toEqual({ count: 10, error: undefined });

    const { count, error } = await read();
    expect(error).toMatchObject({ type, code });
    expect(count).toBeLessThanOrEqual(seen);
    const again = await persistently(async () => {
      const result = await read();
      if (result.error) throw result.error;
      return result;
    });
    expect(again.count).toBe(10);
  });

  test('gone-after: a part of the answer at most', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(10), { expectedRevision: 'no_stream' });
    double.inject({ on: 'read', nth: 1, kind: 'gone-after', durationMs });
    const { count, error } = await readAll(client.readAll());
    expect(error).toMatchObject({ code: 14 });
    expect(count).toBeLessThan(10);
  });

  test.each<[FaultKind, seen: number]>([
    ['unanswered-before', 0],
    ['unanswered-after', 5],
  ])('%s: after %i of 10 events nothing more, until the client gives up', async (kind, seen) => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(10), { expectedRevision: 'no_stream' });
    double.inject({ on: 'read', nth: 1, kind });
    const read = client.readStream('a');
    let count = 0;
    read.on('data', () => {
      count += 1;
    });
    await eventually(() => count).toBe(seen);
    await append(client, anAppend('b'));
    expect(count).toBe(seen);
    expect(double.openCalls()).toMatchObject({ 'Streams/Read': 1 });
    await read.cancel();
    await eventually(() => double.openCalls()['Streams/Read']).toBeUndefined();
  });

  test('frozen: it is answered late', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(10), { expectedRevision: 'no_stream' });
    double.inject({ on: 'read', nth: 1, kind: 'frozen', durationMs });
    const started = performance.now();
    expect(await idsOf(client, 'a')).toHaveLength(10);
    expect(performance.now() - started).toBeGreaterThan(durationMs * 0.9);
  });
});
