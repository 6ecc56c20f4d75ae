/** The event log in memory, for unit tests. Keeps the serialised text, so that what comes back went through JSON. */
import { appendSignal } from '#shared/event-log/append-signal.ts';
import { type SerialisedEvent, serialiseEvent, tooLarge } from '#shared/event-log/event-bytes.ts';
import {
  type AppendResult,
  type EventLog,
  ofThisLog,
  type RecordedEvent,
  type StreamAppend,
} from '#shared/event-log/event-log.ts';
import { numbersOf, type Position, positionOf } from '#shared/event-log/position.ts';
import { subscribeByPages } from '#shared/event-log/subscribe-by-pages.ts';
import { type Runtime, systemRuntime } from '#shared/runtime/runtime.ts';

interface Entry extends SerialisedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly number: number;
}

export function memoryEventLog(options: { readonly id?: string; readonly runtime?: Runtime } = {}): EventLog {
  const id = options.id ?? '00000001';
  const entries: Entry[] = [];
  const streams = new Map<string, Entry[]>();
  const signal = appendSignal(options.runtime ?? systemRuntime);
  const start = positionOf(id, 0);

  const recorded = (entry: Entry): RecordedEvent => ({
    id: entry.id,
    type: entry.type,
    stream: entry.stream,
    revision: entry.revision,
    position: positionOf(id, entry.number),
    data: JSON.parse(entry.data),
    metadata: JSON.parse(entry.metadata),
  });

  const ofTenant = (tenant: string, stream: string): readonly Entry[] => {
    const found = streams.get(stream) ?? [];
    return found[0]?.tenant === tenant ? found : [];
  };

  function appendOne({ stream, expected, events }: StreamAppend): AppendResult {
    const first = expected === 'none' ? 0 : expected + 1;
    if (events.length === 0) return { outcome: 'appended', revision: first - 1, position: null };
    const serialised = events.map(serialiseEvent);
    const refusal = tooLarge(serialised);
    if (refusal) return refusal;
    const existing = streams.get(stream) ?? [];
    if (existing.length !== first) {
      const before = existing.slice(first, first + events.length);
      const last = before.at(-1);
      if (last && before.length === events.length && before.every((entry, index) => entry.id === events[index]?.id))
        return { outcome: 'appended', revision: last.revision, position: positionOf(id, last.number) };
      return { outcome: 'conflict', expected, actual: existing.length === 0 ? 'none' : existing.length - 1 };
    }
    for (const event of serialised) {
      const entry = { ...event, stream, revision: existing.length, number: entries.length + 1 };
      entries.push(entry);
      existing.push(entry);
    }
    streams.set(stream, existing);
    return { outcome: 'appended', revision: existing.length - 1, position: positionOf(id, entries.length) };
  }

  const log: EventLog = {
    id,
    start,
    async append(appends) {
      const results = appends.map(appendOne);
      signal.notify();
      return results;
    },
    async *readStream(tenant, stream, from = 0) {
      for (const entry of ofTenant(tenant, stream).slice(from)) yield recorded(entry);
    },
    async readLast(tenant, names) {
      const last = new Map<string, RecordedEvent>();
      for (const name of names) {
        const entry = ofTenant(tenant, name).at(-1);
        if (entry) last.set(name, recorded(entry));
      }
      return last;
    },
    async readAll(after, limit) {
      const from = Number(numbersOf(ofThisLog(id, after))[0]);
      const page = entries.slice(from, from + limit);
      return {
        events: page.map(recorded),
        position: positionOf(id, from + page.length),
        end: from + page.length >= entries.length,
      };
    },
    async readAt(position) {
      const entry = entries[Number(numbersOf(ofThisLog(id, position))[0]) - 1];
      return entry ? recorded(entry) : null;
    },
    subscribe: (after: Position, stop: AbortSignal) => subscribeByPages(log, after, stop, signal.waiter),
    head: async () => positionOf(id, entries.length),
    close: async () => undefined,
  };
  return log;
}
