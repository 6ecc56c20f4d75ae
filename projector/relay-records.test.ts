import { expect, test } from 'vitest';
import { addWatermarks, pageOf } from '#projector/relay-records.ts';
import { evenly, type RelayState } from '#projector/relay-state.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { readRecord } from '#shared/transport/kafka/record.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';

const logId = '00000001';
const at = (number: number) => positionOf(logId, number);
const begun: RelayState = {
  epoch: 4,
  position: at(10),
  time: null,
  previous: evenly(at(10)),
  ordinals: allSlots.map((slot) => slot),
};
const partitions = 6;
const event = (tenant: string, number: number) => ({
  ...newEvent(tenant),
  stream: `selection-${number}`,
  revision: 0,
  position: at(number),
});
const read = (records: ReturnType<typeof addWatermarks>, partition: number) =>
  (records.get(partition) ?? []).map(({ value, headers }) => readRecord({ value: Buffer.from(value), headers }, logId));

test('each event follows the one before it in its slot, and is one more than that', () => {
  const [acme, globex] = ['acme', 'globex'].map(slotOf) as [number, number];
  expect(acme % partitions).not.toBe(globex % partitions);
  const { records, state } = pageOf(begun, [event('acme', 11), event('globex', 12), event('acme', 13)], partitions);
  expect(read(records, acme % partitions)).toMatchObject([
    { kind: 'event', epoch: 4, delivered: { slot: acme, previous: at(10), ordinal: acme + 1 } },
    { kind: 'event', epoch: 4, delivered: { slot: acme, previous: at(11), ordinal: acme + 2 } },
  ]);
  expect(read(records, globex % partitions)).toMatchObject([{ delivered: { slot: globex, previous: at(10) } }]);
  expect([state.position, state.previous[acme], state.previous[globex]]).toEqual([at(13), at(13), at(12)]);
  expect(begun.previous).toEqual(evenly(at(10)));
});

test('a watermark comes behind the events of its partition, and tells of its slots only', () => {
  const slot = slotOf('acme');
  const { records, state } = pageOf(begun, [event('acme', 11)], partitions);
  addWatermarks(records, state, partitions);
  expect([...records.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  for (let partition = 0; partition < partitions; partition++) {
    const last = read(records, partition).at(-1);
    if (last?.kind !== 'watermark') throw new Error('the last one is no watermark');
    expect(last.watermark.position).toBe(at(11));
    expect([...last.watermark.previous].map(([one]) => one)).toEqual(
      allSlots.filter((one) => one % partitions === partition),
    );
    for (const [one, previous] of last.watermark.previous) expect(previous).toBe(one === slot ? at(11) : at(10));
  }
  expect(read(records, slot % partitions).map(({ kind }) => kind)).toEqual(['event', 'watermark']);
});
