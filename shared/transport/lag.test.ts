import { expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import type { LogPage } from '#shared/event-log/event-log.ts';
import { positionOf } from '#shared/event-log/position.ts';
import { lagPage, type SentProgress, type SlotProgress, standingOf } from '#shared/transport/lag.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';

const id = '00000001';
const at = (number: number, log = id) => positionOf(log, number);
const log = { id, start: at(0) };
const now = new Date('2026-11-01T10:00:30.000Z');
const tenants = ['acme', 'globex'] as const;
const [acme, globex] = tenants.map(slotOf) as [number, number];

/** A log of so many events, the tenants by turns, from position 1. */
const pageOf = (after: string, last: number): LogPage => {
  const numbers = Array.from({ length: last }, (_, index) => index + 1).filter((number) => at(number) > after);
  const events = numbers.slice(0, lagPage).map((number) => ({
    ...newEvent(tenants[number % 2] as string),
    stream: `selection-${number}`,
    revision: 0,
    position: at(number),
  }));
  return { events, position: events.at(-1)?.position ?? after, end: numbers.length <= lagPage };
};
const slots = (set: Partial<Record<number, SlotProgress>>, rest: SlotProgress): SlotProgress[] =>
  allSlots.map((slot) => set[slot] ?? rest);
const lag = (progress: readonly SlotProgress[], sent: SentProgress | null, last: number) => {
  const standing = standingOf(log, progress, sent);
  return standing.lagOf(pageOf(standing.after, last), now);
};
/** A relay that has sent a log of so many events. */
const sentOf = (last: number, counted = (n: number) => n): SentProgress => {
  const lastOf = (slot: number) =>
    Math.max(0, ...[last, last - 1].filter((n) => slotOf(tenants[n % 2] as string) === slot));
  return {
    position: at(last),
    previous: allSlots.map((slot) => at(lastOf(slot))),
    ordinals: allSlots.map((slot) => counted(Math.ceil(lastOf(slot) / 2))),
  };
};

test('without a relay the events behind the checkpoints are counted, of each slot its own', () => {
  const progress = slots({ [acme]: { position: at(6), ordinal: null } }, { position: at(10), ordinal: null });
  expect(lag(progress, null, 12)).toEqual({ events: 4, exact: true, seconds: 30 });
  expect(lag(slots({}, { position: at(12), ordinal: null }), null, 12)).toEqual({ events: 0, exact: true, seconds: 0 });
});

test('what a relay has counted is exact, however much it is', () => {
  // Even positions are of acme: 20,000 of 40,000 events, of which 500 are applied; globex has all.
  const progress = slots({ [acme]: { position: at(1_000), ordinal: 500 } }, { position: at(40_000), ordinal: 20_000 });
  expect(lag(progress, sentOf(40_000), 40_000)).toMatchObject({ events: 19_500, seconds: 30 });
});

test('what was not sent yet is counted too, and slots that were fed by another transport', () => {
  const progress = slots(
    { [acme]: { position: at(100), ordinal: null }, [globex]: { position: at(199), ordinal: 100 } },
    { position: at(200), ordinal: null },
  );
  // 50 of acme that were sent, and 20 of both that were not.
  expect(lag(progress, sentOf(200), 220)).toEqual({ events: 70, exact: true, seconds: 30 });
});

test('a relay that has long been out of use says nothing about today', () => {
  const progress = slots({}, { position: at(5_000), ordinal: null });
  expect(lag(progress, sentOf(10), 5_003)).toEqual({ events: 3, exact: true, seconds: 30 });
});

test('of a log that was exchanged nothing is applied', () => {
  for (const other of ['00000000', 'ffffffff']) {
    const progress = slots({}, { position: at(7, other), ordinal: 3 });
    const sent = { ...sentOf(12), position: at(12, other) };
    expect(lag(progress, sent, 12)).toEqual({ events: 12, exact: true, seconds: 30 });
  }
});
