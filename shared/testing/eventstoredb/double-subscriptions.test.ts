/** Subscriptions of the real client: in which order they tell what, checkpoints, and being dropped. */
import { describe, expect, test } from 'vitest';
import { anEvent, asFailure, doubleAndClient, events, eventually, type Failure } from './double-and-client.ts';
import { revisions, subscribe } from './watched-subscription.ts';

describe('in order', () => {
  test('history, the word that it caught up, and what is committed then', async () => {
    await using both = await doubleAndClient();
    const { client } = both;
    await client.appendToStream('a', events(3));
    const seen = subscribe(client);
    await eventually(() => seen.told).toEqual(['confirmation', 'event', 'event', 'event', 'caughtUp']);
    await client.appendToStream('a', events(2));
    await eventually(() => seen.told.slice(5)).toEqual(['event', 'event']);
    expect(revisions(seen)).toEqual([0n, 1n, 2n, 3n, 4n]);
  });

  test('from a position on, without the event there', async () => {
    await using both = await doubleAndClient();
    const { client } = both;
    const { position } = await client.appendToStream('a', events(3));
    await client.appendToStream('a', events(2));
    const seen = subscribe(client, { fromPosition: position! });
    await eventually(() => revisions(seen)).toEqual([3n, 4n]);
  });

  test('to one stream from a revision on, and to one that does not exist yet', async () => {
    await using both = await doubleAndClient();
    const { client } = both;
    await client.appendToStream('a', events(3));
    const told: bigint[] = [];
    client.subscribeToStream('a', { fromRevision: 1n }).on('data', ({ event }) => told.push(event!.revision));
    const later: string[] = [];
    client
      .subscribeToStream('later')
      .on('confirmation', () => later.push('confirmation'))
      .on('caughtUp', () => later.push('caughtUp'))
      .on('data', () => later.push('event'));
    await client.appendToStream('a', events(1));
    await eventually(() => told).toEqual([2n, 3n]);
    await eventually(() => later).toEqual(['confirmation']);
    await client.appendToStream('later', events(2));
    await eventually(() => later).toEqual(['confirmation', 'event', 'event', 'caughtUp']);
  });

  test('a tombstone ends the subscription to its stream', async () => {
    await using both = await doubleAndClient();
    const { client } = both;
    await client.appendToStream('a', events(1));
    let failure: Failure | undefined;
    let count = 0;
    client
      .subscribeToStream('a')
      .on('data', () => {
        count += 1;
      })
      .on('error', (error) => {
        failure = asFailure(error);
      });
    await eventually(() => count).toBe(1);
    await client.tombstoneStream('a');
    await eventually(() => failure?.type).toBe('stream-deleted');
  });
});

describe('checkpoints', () => {
  test('come once for each interval times window of events looked at, matching or not, live too', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    for (let index = 0; index < 50; index += 1) await client.appendToStream(index % 10 ? 'other' : 'wanted', anEvent());
    const checkpoints: bigint[] = [];
    const seen = subscribe(client, {
      filter: {
        filterOn: 'streamName',
        prefixes: ['wanted'],
        maxSearchWindow: 5,
        checkpointInterval: 2,
        checkpointReached: async (_subscription, { commit }) => void checkpoints.push(commit),
      },
    });
    await eventually(() => seen.told).toContain('caughtUp');
    // 50 events, and two that the server wrote for itself: five times ten.
    await eventually(() => checkpoints.length).toBe(5);
    expect(revisions(seen)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(checkpoints.toSorted((one, other) => Number(one - other))).toEqual(checkpoints);

    for (let index = 0; index < 17; index += 1) await client.appendToStream('other', anEvent());
    const last = await client.appendToStream('other', anEvent());
    await eventually(() => checkpoints.length).toBe(7);
    expect(checkpoints.at(-1)).toBe(last.position?.commit);
    expect(double.counts().droppedSubscribers).toBe(0);
  });
});

describe('a slow consumer', () => {
  test('sets the pace while it catches up', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    for (let index = 0; index < 20; index += 1) await client.appendToStream(`s${index}`, events(100, 200));
    const seen = subscribe(client);
    seen.subscription.pause();
    await eventually(() => seen.told).toContain('confirmation');
    for (let index = 0; index < 20; index += 1) await client.appendToStream(`s${index}`, events(10, 200));
    expect(double.counts().events).toBeLessThan(1_000);
    expect(double.counts().droppedSubscribers).toBe(0);
    seen.subscription.resume();
    await eventually(() => seen.events.length).toBe(2_200);
    expect(seen.failure).toBeUndefined();
  });

  test('is dropped when it is live, and nothing is lost by subscribing after the last event', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(1));
    const seen = subscribe(client);
    await eventually(() => seen.told).toContain('caughtUp');
    seen.subscription.pause();
    let written = 1;
    while (double.counts().droppedSubscribers === 0) {
      await client.appendToStream('a', events(50, 200));
      written += 50;
    }
    seen.subscription.resume();
    await eventually(() => seen.failure).toMatchObject({ type: 'timeout', code: 10 });
    expect(seen.failure?.message).toContain('Consumer too slow to handle event while live');
    expect(seen.events.length).toBeLessThan(written);

    const next = subscribe(client, { fromPosition: seen.events.at(-1)!.event!.position! });
    await eventually(() => seen.events.length + next.events.length).toBe(written);
    expect([...revisions(seen), ...revisions(next)]).toEqual(Array.from({ length: written }, (_, at) => BigInt(at)));
  });

  test('is what the double can take any for, at any time', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    await client.appendToStream('a', events(3));
    const seen = [subscribe(client), subscribe(client, { fromPosition: 'end' })];
    for (const { told } of seen) await eventually(() => told).toContain('caughtUp');
    double.dropSubscribers();
    for (const one of seen) await eventually(() => one.failure).toMatchObject({ type: 'timeout', code: 10 });
    expect(double.counts().droppedSubscribers).toBe(2);
    await eventually(() => double.openCalls()).toEqual({ 'Streams/BatchAppend': 1 });
  });

  test('that keeps up is not dropped by a burst', async () => {
    await using both = await doubleAndClient();
    const { double, client } = both;
    const seen = subscribe(client);
    await eventually(() => seen.told).toContain('caughtUp');
    await client.appendToStream('a', events(100));
    await eventually(() => seen.events.length).toBe(100);
    expect(double.counts().droppedSubscribers).toBe(0);
  });
});
