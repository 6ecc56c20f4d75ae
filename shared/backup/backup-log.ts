/** The log in a backup, up to a position, read like any other log. Holds one part at a time. */
import { readPart } from '#shared/backup/log-parts.ts';
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
      held = { index, events: (await readPart(store, part, { ...log, parts: log.parts.slice(0, index) })).events };
    }
    return held.events;
  }

  return {
    id: log.id,
    start: log.start,
    head: () => Promise.resolve(end),
    async readAll(after, limit) {
      const index = log.parts.findIndex(({ last }) => last > after);
      const found = index < 0 || after >= end ? [] : await eventsOf(index);
      const events = found.filter(({ position }) => position > after && position <= end).slice(0, limit);
      const position = events.at(-1)?.position ?? after;
      return { events, position, end: events.length === 0 || position >= end };
    },
  };
}
