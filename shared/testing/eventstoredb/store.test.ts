/** The server's decisions where the recordings show no example. */
import { describe, expect, test } from 'vitest';
import { streams } from './protobuf.ts';
import { isMissing, isTooOld, readStreamEvents } from './read-events.ts';
import { createStore, type Store } from './store.ts';
import type { ProposedEvent } from './stored-event.ts';

const event = (id: string, data = '{}'): ProposedEvent => ({
  id,
  type: 'Noted',
  isJson: true,
  data: Buffer.from(data),
  metadata: Buffer.alloc(0),
});
const events = (...ids: string[]): ProposedEvent[] => ids.map((id) => event(id));
const idsOf = (store: Store, name: string): string[] => store.stream(name).events.map(({ id }) => id);

/** What a reader sees of a stream, forwards from the start or backwards from the end. */
function visible(store: Store, name: string, backwards = false, now = 0): bigint[] {
  const from = new streams.ReadReq.Options.StreamOptions();
  const here = from.setRevision(backwards ? '1000' : '0');
  return [...readStreamEvents(store.stream(name), here, backwards, now)].map(({ revision }) => revision);
}

describe('an append that was there before', () => {
  test('is answered as the first time, whatever came later', () => {
    const store = createStore();
    const first = store.append('a', 'no_stream', events('1', '2'));
    store.append('a', 1n, events('3'));
    expect(store.append('a', 'no_stream', events('1', '2'))).toEqual(first);
    expect(store.append('a', 0n, events('2', '3'))).toMatchObject({ outcome: 'stored', lastRevision: 2 });
    expect(idsOf(store, 'a')).toEqual(['1', '2', '3']);
  });

  test('is recognised by its ids, not by its data', () => {
    const store = createStore();
    store.append('a', 'no_stream', [event('1', '{"n":1}')]);
    expect(store.append('a', 'no_stream', [event('1', '{"n":2}')])).toMatchObject({ outcome: 'stored' });
    expect(Buffer.from(store.stream('a').events[0]!.data).toString()).toBe('{"n":1}');
  });

  test('conflicts if only a part of it was', () => {
    const store = createStore();
    store.append('a', 'no_stream', events('1', '2'));
    const conflict = { outcome: 'conflict', current: 1 };
    expect(store.append('a', 'no_stream', events('1', '2', '3'))).toEqual(conflict);
    expect(store.append('a', 'no_stream', events('1', '3'))).toEqual(conflict);
    expect(store.append('a', 'any', events('1', '3'))).toEqual(conflict);
  });

  test('is written with its duplicates if "any" was expected and the first event is new', () => {
    const store = createStore();
    store.append('a', 'no_stream', events('1', '2'));
    expect(store.append('a', 'any', events('3', '1'))).toMatchObject({ outcome: 'stored', lastRevision: 3 });
    expect(idsOf(store, 'a')).toEqual(['1', '2', '3', '1']);
  });

  test('is written again in another stream', () => {
    const store = createStore();
    store.append('a', 'any', events('1'));
    store.append('b', 'any', events('1'));
    store.append('a', 'any', events('1'));
    // The memory of ids knows one stream for each id.
    expect(idsOf(store, 'a')).toEqual(['1', '1']);
    expect(idsOf(store, 'b')).toEqual(['1']);
  });

  test('is recognised without a memory of ids only by an exact expectation', () => {
    const store = createStore({ recentIdBytes: 0 });
    store.append('a', 'no_stream', events('1'));
    store.append('a', 'no_stream', events('1'));
    store.append('a', 'any', events('1'));
    store.append('a', 'stream_exists', events('1'));
    expect(idsOf(store, 'a')).toEqual(['1', '1', '1']);
  });
});

describe('an append without events', () => {
  test('takes room in the log and changes nothing', () => {
    const store = createStore();
    const { length } = store.log;
    const end = store.end();
    expect(store.append('a', 'any', [])).toEqual({ outcome: 'stored', lastRevision: -1, position: end });
    expect(store.end()).toBeGreaterThan(end);
    expect(store.log).toHaveLength(length);
    expect(store.append('a', 5n, [])).toEqual({ outcome: 'conflict', current: -1 });
  });
});

describe('a stream', () => {
  test('soft-deleted is missing, and goes on with its numbers', () => {
    const store = createStore();
    store.append('a', 'no_stream', events('1', '2'));
    store.delete('a', 'any', 'soft');
    expect(isMissing(store.stream('a'))).toBe(true);
    expect(store.append('a', 'stream_exists', events('3'))).toEqual({ outcome: 'deleted' });
    expect(store.append('a', 0n, events('3'))).toEqual({ outcome: 'conflict', current: 1 });
    expect(store.append('a', 'no_stream', events('3'))).toMatchObject({ lastRevision: 2 });
    expect(isMissing(store.stream('a'))).toBe(false);
    expect(visible(store, 'a')).toEqual([2n]);
    expect(visible(store, 'a', true)).toEqual([2n]);
  });

  test('tombstoned refuses for ever', () => {
    const store = createStore();
    store.append('a', 'no_stream', events('1'));
    store.delete('a', 0n, 'hard');
    for (const expected of ['any', 'no_stream', 'stream_exists', 0n] as const)
      expect(store.append('a', expected, events('2'))).toEqual({ outcome: 'deleted' });
    expect(store.delete('a', 'any', 'soft')).toEqual({ outcome: 'deleted' });
  });

  test('that never was cannot be soft-deleted, but tombstoned', () => {
    const store = createStore();
    expect(store.delete('a', 'any', 'soft')).toEqual({ outcome: 'conflict', current: -1 });
    expect(store.delete('a', 'any', 'hard')).toMatchObject({ outcome: 'stored' });
  });

  test('is deleted only as expected', () => {
    const store = createStore();
    store.append('a', 'no_stream', events('1'));
    expect(store.delete('a', 3n, 'soft')).toEqual({ outcome: 'conflict', current: 0 });
    expect(store.delete('a', 'no_stream', 'hard')).toEqual({ outcome: 'conflict', current: 0 });
  });

  test('shows what its metadata leaves', () => {
    let now = 0;
    const store = createStore({ now: () => now });
    store.append('a', 'no_stream', events('1', '2', '3'));
    now = 10_000;
    store.append('a', 2n, events('4'));
    store.append('$$a', 'any', [event('m1', '{"$maxCount":3}')]);
    expect(visible(store, 'a')).toEqual([1n, 2n, 3n]);
    store.append('$$a', 'any', [event('m2', '{"$tb":2}')]);
    expect(visible(store, 'a', true)).toEqual([3n, 2n]);
    store.append('$$a', 'any', [event('m3', '{"$maxAge":5}')]);
    expect(visible(store, 'a', false, now)).toEqual([3n]);
    expect(isTooOld(store.stream('a'), store.stream('a').events[3]!, now + 6_000)).toBe(true);
    store.append('$$a', 'any', [event('m4', 'nonsense')]);
    expect(visible(store, 'a')).toEqual([0n, 1n, 2n, 3n]);
  });
});

test('positions grow by the length of records, and an index is found for any of them', () => {
  const store = createStore();
  for (let index = 0; index < 500; index += 1) store.append(`s${index % 7}`, 'any', events(`${index}`));
  const positions = store.log.map(({ position }) => position);
  expect(positions).toEqual(positions.toSorted((one, other) => one - other));
  expect(new Set(positions).size).toBe(positions.length);
  for (const [index, position] of positions.entries()) {
    expect(store.indexAt(position)).toBe(index);
    expect(store.indexAt(position + 1)).toBe(index + 1);
  }
});
