/**
 * Import on an EventStoreDB log, projector running, beside bare appends of the same events by the same client: one
 * event each, as many in flight. On the server that EVENTSTORE_URL names, or else on the double, where the ratio tells
 * of our own cost only.
 */
import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, type JSONType, jsonEvent } from '@eventstore/db-client';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { measure } from './measure.ts';
import { startProcess } from './service.ts';

/** The server that EVENTSTORE_URL names, or a double in a process of its own. */
export async function startEventStore(): Promise<{ url: string; double: boolean; stop(): Promise<void> }> {
  const { EVENTSTORE_URL: url } = process.env;
  if (url) return { url, double: false, stop: async () => undefined };
  return { ...(await startProcess(['bench/eventstore-double.ts'], {})), double: true };
}

/** The events that an import recorded: the first of each activity and related record. */
export async function importedEvents(url: string, prefix: string): Promise<RecordedEvent[]> {
  const log = await eventStoreLog({ url, prefix });
  const events = await readLog(log);
  await log.close();
  return events.filter(({ stream, revision }) => revision === 0 && /^(activity|related)-/.test(stream));
}

/** Events per second of one append each; the best of some numbers in flight. */
export async function bareAppends(url: string, events: readonly RecordedEvent[]): Promise<number> {
  const client = EventStoreDBClient.connectionString(url);
  let best = 0;
  for (const inFlight of [64, 256]) {
    const prefix = `bare.${randomUUID().slice(0, 8)}.`;
    const append = (index: number) => {
      const { type, data, metadata, stream } = events[index] as RecordedEvent;
      const event = jsonEvent({ id: randomUUID(), type, data: data as JSONType, metadata });
      return client.appendToStream(`${prefix}${stream}`, event, { expectedRevision: 'no_stream' });
    };
    await append(0);
    const { perSecond } = await measure(events.length - 1, inFlight, (index) => append(index + 1));
    best = Math.max(best, perSecond);
  }
  await client.dispose();
  return best;
}
