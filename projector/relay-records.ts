/** What a relay sends for a page of the log, and how far it is then. Pure. */
import type { RelayState } from '#projector/relay-state.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { type KafkaRecord, recordOf, recordOfWatermark } from '#shared/transport/kafka/record.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';

/** By partition, in the order in which they are to be stored. */
export type Records = Map<number, KafkaRecord[]>;

export interface Page {
  readonly records: Records;
  /** Once all of them are acknowledged. */
  readonly state: RelayState;
}

function add(records: Records, partition: number, record: KafkaRecord): void {
  const before = records.get(partition);
  if (before) before.push(record);
  else records.set(partition, [record]);
}

export function pageOf(from: RelayState, events: readonly RecordedEvent[], partitions: number): Page {
  const previous = [...from.previous];
  const ordinals = [...from.ordinals];
  const records: Records = new Map();
  let { time, position } = from;
  for (const event of events) {
    const slot = slotOf(event.metadata.tenant);
    const ordinal = (ordinals[slot] as number) + 1;
    add(
      records,
      slot % partitions,
      recordOf({ slot, previous: previous[slot] as Position, ordinal, event }, from.epoch),
    );
    previous[slot] = event.position;
    ordinals[slot] = ordinal;
    position = event.position;
    if (time === null || event.metadata.recordedAt > time) time = event.metadata.recordedAt;
  }
  return { records, state: { ...from, position, time, previous, ordinals } };
}

/** To each partition, behind what goes there anyway, one about the slots that go there. */
export function addWatermarks(records: Records, state: RelayState, partitions: number): Records {
  const { position, time, epoch } = state;
  for (let partition = 0; partition < partitions; partition++) {
    const slots = allSlots.filter((slot) => slot % partitions === partition);
    const previous = new Map(slots.map((slot) => [slot, state.previous[slot] as Position]));
    add(records, partition, recordOfWatermark({ position: position as Position, time, previous }, epoch));
  }
  return records;
}
