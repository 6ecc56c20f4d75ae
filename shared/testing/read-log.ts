/** All events of a log after a position (from its start where none is given), read by pages of so many events. */
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

export async function readLog(
  log: Pick<EventLog, 'readAll' | 'start'>,
  from: Position = log.start,
  limit = 1_000,
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let after = from, end = false; !end; ) {
    const page = await log.readAll(after, limit);
    events.push(...page.events);
    ({ position: after, end } = page);
  }
  return events;
}
