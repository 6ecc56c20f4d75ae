/** The serialised form of events, with the limits of the port. Serialised once; adapters send this text. */
import { type AppendResult, maxAppendBytes, maxEventBytes, type NewEvent } from '#shared/event-log/event-log.ts';

export interface SerialisedEvent {
  readonly id: string;
  readonly type: string;
  readonly tenant: string;
  readonly recordedAt: string;
  readonly data: string;
  readonly metadata: string;
  readonly bytes: number;
}

export function serialiseEvent(event: NewEvent): SerialisedEvent {
  const data = JSON.stringify(event.data);
  const metadata = JSON.stringify(event.metadata);
  return {
    id: event.id,
    type: event.type,
    tenant: event.metadata.tenant,
    recordedAt: event.metadata.recordedAt,
    data,
    metadata,
    // Some versions of EventStoreDB count each character of the type as two bytes; none counts more.
    bytes: Buffer.byteLength(data) + Buffer.byteLength(metadata) + 2 * event.type.length,
  };
}

/** Null where the events of one stream may go into one append. */
export function tooLarge(events: readonly SerialisedEvent[]): Extract<AppendResult, { outcome: 'too-large' }> | null {
  let bytes = 0;
  for (const event of events) {
    if (event.bytes > maxEventBytes) return { outcome: 'too-large', bytes: event.bytes, limit: maxEventBytes };
    bytes += event.bytes;
  }
  return bytes > maxAppendBytes ? { outcome: 'too-large', bytes, limit: maxAppendBytes } : null;
}
