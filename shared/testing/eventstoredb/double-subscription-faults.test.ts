/** Every fault at a subscription, as the real client sees it. */
import { streamNameFilter } from '@eventstore/db-client';
import { expect, test } from 'vitest';
import { anEvent, doubleAndClient, events, eventually, persistently } from './double-and-client.ts';
import type { FaultKind } from './faults.ts';
import { subscribe } from './watched-subscription.ts';

test.each<[FaultKind, seen: number, type: string, code: number]>([
  ['unavailable', 0, 'unavailable', 14],
  ['gone-before', 0, 'unavailable', 14],
  ['gone-after', 1, 'unavailable', 14],
  ['cut-before', 0, 'unavailable', 14],
  ['cut-after', 1, 'unavailable', 14],
  ['not-leader', 0, 'not-leader', 5],
  ['not-ready', 0, 'unavailable', 14],
  ['timeout-before', 0, 'timeout', 10],
  ['timeout-after', 1, 'timeout', 10],
  ['slow-consumer', 1, 'timeout', 10],
])('%s: after %i event type %s, code %i', async (kind, count, type, code) => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(5));
  double.inject({ on: 'subscribe', nth: 1, kind, durationMs: 100 });
  const seen = subscribe(client, { filter: streamNameFilter({ prefixes: ['a'] }) });
  await eventually(() => seen.failure).toMatchObject({ type, code });
  expect(seen.events.length).toBeLessThanOrEqual(count);

  await persistently(() => client.appendToStream('b', anEvent()));
  const again = subscribe(client);
  await eventually(() => again.events.length).toBe(6);
});

test.each<[FaultKind, count: number]>([
  ['unanswered-before', 0],
  ['unanswered-after', 1],
])('%s: after %i event nothing more, while others are served', async (kind, count) => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(5));
  double.inject({ on: 'subscribe', nth: 1, kind });
  const seen = subscribe(client, { filter: streamNameFilter({ prefixes: ['a'] }) });
  await eventually(() => double.counts().subscriptions).toBe(1);
  const other = subscribe(client);
  await eventually(() => other.events.length).toBe(5);
  expect(seen.events.length).toBe(count);
  expect(seen.failure).toBeUndefined();
  await seen.subscription.unsubscribe();
  await eventually(() => double.openCalls()['Streams/Read']).toBe(1);
});

test('frozen: it begins late', async () => {
  await using both = await doubleAndClient();
  const { double, client } = both;
  await client.appendToStream('a', events(5));
  double.inject({ on: 'subscribe', nth: 1, kind: 'frozen', durationMs: 100 });
  const started = performance.now();
  const seen = subscribe(client);
  await eventually(() => seen.events.length).toBe(5);
  expect(performance.now() - started).toBeGreaterThan(90);
});
