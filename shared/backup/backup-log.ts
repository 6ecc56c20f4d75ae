/** The log in a backup, up to a position, read like any other log. Holds one part at a time. */
import { beforePart, readPart } from '#shared/backup/log-parts.ts';
import type { Manifest } from '#shared/backup/manifest.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import type { LogReader } from '#shared/event-log/copy-log-compare.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';

export function backupLog(store: BackupStore, { log }: Manifest, end: Position): LogReader & Pick<EventLog, 'id'> {
  let held: { readonly index: number; readonly events: readonly RecordedEvent[] } | null = null;

  async function eventsOf(index: number): Promise<readonly RecordedEvent[]> {
    if (held?.index !== index) {
      const part = log.parts[index] as (typeof log.parts)[number];
      held = { index, events: (await readPart(store, part, beforePart(log, index))).events };
    }
    return held.events;
  }

  /** Of the part that goes on from there: mostly the one that is held, or the next. */
  async function eventsAfter(position: Position): Promise<readonly RecordedEvent[]> {
    const lastOf = (index: number) => log.parts[index]?.last ?? '';
    let index = held !== null && lastOf(held.index - 1) <= position ? held.index : 0;
    while (index < log.parts.length && lastOf(index) <= position) index++;
    return index < log.parts.length ? eventsOf(index) : [];
  }

  return {
    id: log.id,
    start: log.start,
    head: () => Promise.resolve(end),
    async readAll(after, limit) {
      const found = after >= end ? [] : await eventsAfter(after);
      const events = found.filter(({ position }) => position > after && position <= end).slice(0, limit);
      const position = events.at(-1)?.position ?? after;
      return { events, position, end: events.length === 0 || position >= end };
    },
  };
}
