import type { EventLog, LogPage } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

/** Of the largest events it would be 250 MB, of usual ones half a megabyte; larger pages are hardly faster. */
const pageSize = 500;

/** A log page by page from a position to its end. Throws the signal's reason between two pages. */
export async function* pagesOf(
  log: Pick<EventLog, 'readAll'>,
  after: Position,
  signal: AbortSignal,
): AsyncGenerator<LogPage> {
  for (let position = after, end = false; !end; ) {
    signal.throwIfAborted();
    const page = await log.readAll(position, pageSize);
    yield page;
    ({ position, end } = page);
  }
}
