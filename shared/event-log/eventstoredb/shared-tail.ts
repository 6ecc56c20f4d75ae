/**
 * Pages of the log, read once for all readers that are near its end: each projection reads the log on its own, and
 * without this each event would be fetched and decoded for each of them. Nothing in it can be stale: what was read
 * never changes, and after it the server is asked.
 */
import type { LogPage } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

export interface SizedPage extends LogPage {
  readonly bytes: number;
}

type ReadPage<T extends LogPage> = (after: Position, limit: number) => Promise<T>;

const keptBytes = 8 * 1024 * 1024;
/** Looked through one by one; commands come in small pages. */
const keptPages = 256;

interface Chunk {
  readonly after: Position;
  readonly page: SizedPage;
}

export function sharedTail(read: ReadPage<SizedPage>): ReadPage<LogPage> {
  /** Without gaps: each begins where the one before ended. */
  let chunks: Chunk[] = [];
  let bytes = 0;
  const underWay = new Map<string, { readonly begun: number; readonly page: Promise<SizedPage> }>();
  /** Counts what happens here, to tell what was before what. */
  let moment = 0;

  function keep(after: Position, page: SizedPage): void {
    const end = chunks.at(-1)?.page.position ?? '';
    if (page.position <= end || page.position === after) return;
    if (after !== end) {
      chunks = [];
      bytes = 0;
    }
    chunks.push({ after, page });
    bytes += page.bytes;
    while ((bytes > keptBytes || chunks.length > keptPages) && chunks.length > 1)
      bytes -= chunks.shift()?.page.bytes ?? 0;
  }

  function kept(after: Position, limit: number): LogPage | null {
    const chunk = chunks.find((one) => one.after <= after && after < one.page.position);
    if (!chunk) return null;
    const events = chunk.page.events.filter(({ position }) => position > after).slice(0, limit);
    const last = events.length === limit ? events.at(-1) : undefined;
    return { events, position: last?.position ?? chunk.page.position, end: false };
  }

  return async (after, limit) => {
    const asked = ++moment;
    const key = `${after} ${limit}`;
    for (;;) {
      const found = kept(after, limit);
      if (found) return found;
      let reading = underWay.get(key);
      if (!reading) {
        reading = { begun: ++moment, page: read(after, limit).finally(() => underWay.delete(key)) };
        underWay.set(key, reading);
      }
      const page = await reading.page;
      keep(after, page);
      // Where the log ended when somebody else asked is not where it ends: the caller may know of what came since.
      if (reading.begun > asked || !page.end) return page;
    }
  };
}
