/** The one table of all event types, and the types that follow from it. */
import type { z } from 'zod';
import { activityEvents } from '#shared/events/activity.ts';
import type { EventMetadata } from '#shared/events/metadata.ts';
import { projectionEvents, quarantineEvents } from '#shared/events/projection.ts';
import { relatedRecordEvents } from '#shared/events/related-record.ts';
import { selectionEvents } from '#shared/events/selection.ts';
import { syncRunEvents } from '#shared/events/sync-run.ts';

/** Category of streams (what stands before the first dash of their names) to its events. */
export const eventsByCategory = {
  activity: activityEvents,
  related: relatedRecordEvents,
  syncrun: syncRunEvents,
  selection: selectionEvents,
  projection: projectionEvents,
  quarantine: quarantineEvents,
} as const;

export const eventDefinitions = {
  ...activityEvents,
  ...relatedRecordEvents,
  ...syncRunEvents,
  ...selectionEvents,
  ...projectionEvents,
  ...quarantineEvents,
} as const;

export type EventType = keyof typeof eventDefinitions;
export type EventData<T extends EventType> = z.infer<(typeof eventDefinitions)[T]['data']>;

/** What happened, before it has a place in a stream. */
export type DomainEvent = { [T in EventType]: { readonly type: T; readonly data: EventData<T> } }[EventType];
export type EventOf<T extends EventType> = Extract<DomainEvent, { type: T }>;

export interface Recorded {
  readonly id: string;
  readonly stream: string;
  /** Place in the stream, from 0. */
  readonly revision: number;
  /** Place in the whole log; see event-log/position.ts. */
  readonly position: string;
  readonly metadata: EventMetadata;
}

/** An event as it was recorded, decoded to its current version. */
export type StoredEvent = DomainEvent & Recorded;
export type StoredEventOf<T extends EventType> = EventOf<T> & Recorded;
