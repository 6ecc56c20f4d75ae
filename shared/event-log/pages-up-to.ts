/** Pages of the whole log, up to a position that is known to be in it. */
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

/** The log ends before a position that somebody has read in it: another log, or one that was put back. */
export class LogEndsEarly extends Error {
  override readonly name = 'LogEndsEarly';
}

/** Events after a position, at least up to the other one; the last page may go beyond. Throws LogEndsEarly. */
export async function* pagesUpTo(
  log: Pick<EventLog, 'readAll'>,
  after: Position,
  upTo: Position,
  pageSize: number,
): AsyncGenerator<readonly RecordedEvent[]> {
  for (let from = after; from < upTo; ) {
    const { events, position, end } = await log.readAll(from, pageSize);
    yield events;
    if (end && position < upTo) throw new LogEndsEarly(`the event log ends at ${position}, before ${upTo}`);
    from = position;
  }
}
