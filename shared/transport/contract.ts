/** What every transport does, whatever it is made of. Each adapter's test file runs this suite. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newEvent } from '#shared/event-log/contract.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { allSlots, slotOf } from '#shared/transport/slot.ts';
import type { DeliveredEvent, Transport } from '#shared/transport/transport.ts';

export interface OpenTransport {
  readonly log: EventLog;
  readonly transport: Transport;
  close(): Promise<void>;
}

export function transportContract(name: string, open: () => Promise<OpenTransport>): void {
  describe(`transport contract: ${name}`, () => {
    let opened: OpenTransport;
    const tenants = Array.from({ length: 30 }, (_, index) => `tenant-${index}`);
    const readers = () => `reader-${randomUUID().slice(0, 8)}`;

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const append = (count: number) =>
      opened.log.append(
        Array.from({ length: count }, (_, index) => ({
          stream: `selection-${randomUUID()}`,
          expected: 'none' as const,
          events: [
            newEvent(tenants[index % tenants.length] as string, { text: `a\u0000b ${index}`, nested: [null, 1] }),
          ],
        })),
      );

    /** Receives until every slot is told to be at the head; repeated events and what they follow are kept apart. */
    async function receive(reader: string, from: readonly Position[], head: Position) {
      const reached = [...from];
      const events: DeliveredEvent[] = [];
      let repeated = 0;
      const stop = new AbortController();
      for await (const { events: some, watermarks } of opened.transport.deliver(reader, from, stop.signal)) {
        for (const delivered of some) {
          const at = reached[delivered.slot] as Position;
          if (delivered.event.position <= at) repeated++;
          else {
            expect(delivered.previous <= at, 'nothing is missing before it').toBe(true);
            reached[delivered.slot] = delivered.event.position;
            events.push(delivered);
          }
        }
        for (const { position, previous } of watermarks)
          for (const [slot, last] of previous) {
            expect(last <= (reached[slot] as Position), 'nothing is missing before a watermark').toBe(true);
            if (position > (reached[slot] as Position)) reached[slot] = position;
          }
        if (reached.every((position) => position >= head)) stop.abort();
      }
      return { events, repeated, reached };
    }

    const start = () => allSlots.map(() => opened.log.start);
    const bySlot = (events: readonly RecordedEvent[]) =>
      Map.groupBy(
        events.map(({ id, position, data, metadata, stream, revision, type }) => ({
          id,
          position,
          data,
          metadata,
          stream,
          revision,
          type,
        })),
        (event) => slotOf(event.metadata.tenant),
      );

    test('every event comes whole, in the order of its slot, and watermarks tell of the end', async () => {
      await append(300);
      const { events } = await receive(readers(), start(), await opened.log.head());
      expect(events.every(({ slot, event }) => slot === slotOf(event.metadata.tenant))).toBe(true);
      expect(bySlot(events.map(({ event }) => event))).toEqual(bySlot(await readLog(opened.log)));
    }, 60_000);

    test('what is recorded later comes too, soon', async () => {
      const reader = readers();
      const first = await receive(reader, start(), await opened.log.head());
      await append(50);
      const later = await receive(reader, first.reached, await opened.log.head());
      expect(later.events).toHaveLength(50);
    }, 60_000);

    test('while there is nothing it goes on telling so', async () => {
      const stop = new AbortController();
      let beats = 0;
      for await (const delivery of opened.transport.deliver(readers(), start(), stop.signal)) {
        if (delivery.events.length === 0 && ++beats === 3) stop.abort();
      }
      expect(beats).toBe(3);
    }, 60_000);

    test('it ends when it is told to, also while nobody takes what it brings', async () => {
      const stop = new AbortController();
      const deliveries = opened.transport.deliver(readers(), start(), stop.signal)[Symbol.asyncIterator]();
      await deliveries.next();
      stop.abort();
      await deliveries.return?.();
      expect(await deliveries.next()).toMatchObject({ done: true });
    }, 60_000);
  });
}
