import { expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { handOver } from '#shared/transport/kafka/hand-over.ts';
import type { Delivery, Watermark } from '#shared/transport/transport.ts';

const never = new Promise<void>(() => undefined);
const now = Promise.resolve();
const at = (number: number) => positionOf('00000001', number);
const mark = (slot: number, number: number): Watermark => ({
  position: at(number),
  time: null,
  previous: new Map([[slot, at(number)]]),
});
const events = (number: number, watermarks: readonly Watermark[] = []): Delivery => ({
  events: [
    {
      slot: number,
      previous: at(number - 1),
      ordinal: number,
      event: { ...newEvent('acme'), stream: `selection-${number}`, revision: 0, position: at(number) },
    },
  ],
  watermarks,
});
const alone = (...watermarks: Watermark[]): Delivery => ({ events: [], watermarks });
const positions = (delivery: Delivery | null) => delivery?.events.map(({ event }) => event.position);

test('what several give at about the same time is taken as one, and all are told when it was worked off', async () => {
  const handed = handOver(systemRuntime);
  const told: number[] = [];
  const taking = handed.take(never);
  for (const number of [1, 2, 3]) void handed.give(events(number)).then(() => told.push(number));
  expect(positions(await taking)).toEqual([at(1), at(2), at(3)]);
  expect(told).toEqual([]);
  expect(await handed.take(now)).toBeNull();
  expect(told).toEqual([1, 2, 3]);
});

test('whoever gives again when told is in time for what is taken next', async () => {
  const handed = handOver(systemRuntime);
  void handed.give(events(1)).then(() => handed.give(events(2)));
  expect(positions(await handed.take(never))).toEqual([at(1)]);
  expect(positions(await handed.take(now))).toEqual([at(2)]);
});

test('watermarks hold up nobody, go with the next events, and only the last about the same slots goes', async () => {
  const handed = handOver(systemRuntime);
  await handed.give(alone(mark(1, 5)));
  await handed.give(alone(mark(2, 6), mark(1, 6)));
  void handed.give(events(3, [mark(3, 8)]));
  const taken = await handed.take(never);
  expect(positions(taken)).toEqual([at(3)]);
  expect(taken?.watermarks).toEqual([mark(2, 6), mark(1, 6), mark(3, 8)]);
});

test('watermarks to which no event comes go alone, after a moment', async () => {
  const handed = handOver(systemRuntime);
  const began = performance.now();
  await handed.give(alone(mark(1, 5)));
  expect(await handed.take(never)).toEqual(alone(mark(1, 5)));
  expect(performance.now() - began).toBeGreaterThan(150);
  expect(await handed.take(now)).toBeNull();
});

test('a failure reaches whoever takes, and the end whoever gives', async () => {
  const handed = handOver(systemRuntime);
  const given = handed.give(events(1));
  await handed.take(never);
  handed.fail(new Error('crashed'));
  await expect(handed.take(never)).rejects.toThrow('crashed');
  await given;
  const late = handed.give(events(2));
  handed.close();
  await expect(late).rejects.toThrow('nobody takes');
  await expect(handed.give(events(3))).rejects.toThrow('nobody takes');
});
