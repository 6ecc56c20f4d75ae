/** Where the server puts its checkpoints, beyond what the recordings show. */
import { expect, test } from 'vitest';
import { allFeed, type Feed } from './feed.ts';
import { type AllFilter, noFilter } from './filter.ts';
import { createStore, type Store } from './store.ts';

const isWanted: AllFilter['accepts'] = ({ stream }) => stream === 'wanted';

function write(store: Store, stream: string, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const id = `${stream}-${store.log.length}`;
    const event = { id, type: 'Noted', isJson: true, data: Buffer.alloc(0), metadata: Buffer.alloc(0) };
    store.append(stream, 'any', [event]);
  }
}

/** Everything up to the end: an index in the log, the position of a checkpoint, or that it caught up. */
function taken(store: Store, feed: Feed): (string | number)[] {
  const items: (string | number)[] = [];
  for (let item = feed.next(); item; item = feed.next()) {
    if ('event' in item) items.push(store.log.indexOf(item.event));
    if ('caughtUp' in item) items.push('caught up');
    if ('checkpoint' in item) items.push(`${item.checkpoint.commit}/${item.checkpoint.prepare}`);
  }
  return items;
}

test('after 32 matching events a page ends, and a checkpoint that is due comes then', () => {
  const store = createStore();
  write(store, 'wanted', 100);
  const items = taken(store, allFeed(store, 2, { accepts: isWanted, window: 1_000, checkpointInterval: 50 }));
  const at = items.flatMap((item, index) => (typeof item === 'string' ? [index] : []));
  // After 64 events and not after 50; what is left over counts: 14 and 32 more are too few, the end has none.
  expect(at).toEqual([64, 101]);
  expect(items[64]).toBe(`${store.log[65]!.position}/${store.log[65]!.position}`);
  expect(items.at(-1)).toBe('caught up');
});

test('after a page without a matching event the checkpoint is where the page began', () => {
  const store = createStore();
  write(store, 'other', 25);
  const items = taken(store, allFeed(store, 0, { accepts: isWanted, window: 10, checkpointInterval: 10 }));
  expect(items).toEqual(['0/0', `${store.log[10]!.position}/0`, 'caught up']);
});

test('a page that ends with the log has its checkpoint, one that the log ends has none', () => {
  const store = createStore();
  write(store, 'wanted', 8);
  const filter = { accepts: isWanted, window: 10, checkpointInterval: 10 };
  const { position } = store.log[9]!;
  expect(taken(store, allFeed(store, 0, filter)).slice(-2)).toEqual([`${position}/${position}`, 'caught up']);
  write(store, 'wanted', 1);
  expect(taken(store, allFeed(store, 0, filter)).slice(-2)).toEqual([10, 'caught up']);
});

test('live it counts on from what was left over', () => {
  const store = createStore();
  write(store, 'wanted', 5);
  const feed = allFeed(store, 0, { accepts: isWanted, window: 10, checkpointInterval: 10 });
  expect(taken(store, feed).at(-1)).toBe('caught up');
  write(store, 'other', 4);
  const { position } = store.log[9]!;
  expect(taken(store, feed)).toEqual([`${position}/${position}`]);
});

test('without a filter there are none, and only the notes of the server are left out', () => {
  const store = createStore();
  write(store, 'wanted', 50);
  const items = taken(store, allFeed(store, 0, noFilter));
  expect(items).toEqual([...Array.from({ length: 51 }, (_, index) => index + 1), 'caught up']);
});

test('what waits is counted when it is live, and only what matches', () => {
  const store = createStore();
  write(store, 'wanted', 5);
  const feed = allFeed(store, 0, { ...noFilter, accepts: isWanted });
  expect(feed.behind()).toBe(0);
  taken(store, feed);
  write(store, 'other', 3);
  write(store, 'wanted', 4);
  expect(feed.behind()).toBe(4);
  feed.next();
  expect(feed.behind()).toBe(3);
  taken(store, feed);
  expect(feed.behind()).toBe(0);
});
