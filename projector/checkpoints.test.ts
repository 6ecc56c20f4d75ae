import { describe, expect, test } from 'vitest';
import { type Checkpoint, LogExchanged, verifyCheckpoints } from '#projector/checkpoints.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { positionOf } from '#shared/event-log/position.ts';

describe('the log that checkpoints were made from', () => {
  const at = (position: string, event: RecordedEvent | null): Checkpoint => ({
    position,
    time: null,
    eventId: event?.id ?? null,
    eventPosition: event?.position ?? null,
    ordinal: null,
  });
  async function logOf(count: number, id = '0000000a') {
    const log = memoryEventLog({ id });
    for (let n = 0; n < count; n++)
      await log.append([{ stream: `selection-${n}`, expected: 'none', events: [newEvent('acme')] }]);
    return { log, events: (await log.readAll(log.start, count)).events };
  }

  test('is recognised by the last event of each slot', async () => {
    const { log, events } = await logOf(3);
    const last = events[2] as RecordedEvent;
    await verifyCheckpoints(log, 'catalog', [at(last.position, last), at(log.start, null), at(await log.head(), null)]);
  });

  test('is another one where there is another event, or none', async () => {
    const { events } = await logOf(3);
    const other = await logOf(3);
    const last = events[2] as RecordedEvent;
    await expect(verifyCheckpoints(other.log, 'catalog', [at(last.position, last)])).rejects.toThrow(LogExchanged);
  });

  test('is another one where its id differs', async () => {
    const { log } = await logOf(1);
    const other = await logOf(1, '0000000b');
    await expect(verifyCheckpoints(other.log, 'catalog', [at(log.start, null)])).rejects.toThrow(/rebuild all/);
  });

  test('was restored from before where a checkpoint lies behind its end, though the last event is there', async () => {
    const { log, events } = await logOf(3);
    const last = events[2] as RecordedEvent;
    const passedOverOthers = at(positionOf(log.id, 4), last);
    await expect(verifyCheckpoints(log, 'catalog', [passedOverOthers])).rejects.toThrow(/behind the end of the log/);
  });
});
