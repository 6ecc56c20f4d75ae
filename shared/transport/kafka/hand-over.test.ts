import { expect, test } from 'vitest';
import { positionOf } from '#shared/event-log/position.ts';
import { handOver } from '#shared/transport/kafka/hand-over.ts';
import type { Delivery } from '#shared/transport/transport.ts';

const never = new Promise<void>(() => undefined);
const delivery = (slot: number): Delivery => ({
  events: [],
  watermarks: [{ position: positionOf('00000001', slot), time: null, previous: new Map([[slot, 'x']]) }],
});

test('what several give at about the same time is taken as one, and all are told when it was worked off', async () => {
  const handed = handOver();
  const told: number[] = [];
  const taking = handed.take(never);
  for (const slot of [1, 2, 3]) void handed.give(delivery(slot)).then(() => told.push(slot));
  expect((await taking)?.watermarks).toHaveLength(3);
  expect(told).toEqual([]);
  expect(await handed.take(Promise.resolve())).toBeNull();
  expect(told).toEqual([1, 2, 3]);
});

test('whoever gives again when told is in time for what is taken next', async () => {
  const handed = handOver();
  void handed.give(delivery(1)).then(() => handed.give(delivery(2)));
  expect((await handed.take(never))?.watermarks).toEqual(delivery(1).watermarks);
  expect((await handed.take(Promise.resolve()))?.watermarks).toEqual(delivery(2).watermarks);
});

test('a failure reaches whoever takes, and the end whoever gives', async () => {
  const handed = handOver();
  const given = handed.give(delivery(1));
  const waits = handed.take(never);
  await waits;
  handed.fail(new Error('crashed'));
  await expect(handed.take(never)).rejects.toThrow('crashed');
  await given;
  const late = handed.give(delivery(2));
  handed.close();
  await expect(late).rejects.toThrow('nobody takes');
  await expect(handed.give(delivery(3))).rejects.toThrow('nobody takes');
});
