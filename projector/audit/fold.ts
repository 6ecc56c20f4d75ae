import { auditEntries } from '#projector/audit/tables.ts';
import type { Fold } from '#projector/projection.ts';
import type { StoredEvent } from '#shared/events/event.ts';
import { categoryOf, entityIdOf } from '#shared/events/stream-name.ts';

/** What people decided, against what followed from it. */
const consequences: ReadonlySet<StoredEvent['type']> = new Set([
  'ActivityRecorded',
  'ActivityRevised',
  'ActivityDeleted',
  'ActivityRestored',
  'RelatedRecordAdded',
  'RelatedRecordRevised',
  'RelatedRecordDeleted',
  'SyncBatchApplied',
  'SyncCompleted',
  'SyncFailed',
  'RebuildFinished',
  'GenerationSwapped',
]);

interface Told {
  readonly summary: object;
  /** Versions of activities: long, so they stand apart and are read with one entry only. */
  readonly items: readonly object[] | null;
}

/** An event in a few facts; long lists and texts are left to the entity itself. */
function tell(event: StoredEvent): Told {
  switch (event.type) {
    case 'ActivityRecorded':
    case 'ActivityRevised':
    case 'ActivityDeleted':
    case 'ActivityRestored':
      return {
        summary: { kind: event.data.derived.kind, source: event.data.source, contentHash: event.data.contentHash },
        items: null,
      };
    case 'RelatedRecordAdded':
    case 'RelatedRecordRevised':
    case 'RelatedRecordDeleted':
      return { summary: { type: event.data.type, source: event.data.source }, items: null };
    case 'SyncBatchApplied': {
      const { rejects, ...counts } = event.data;
      return { summary: counts, items: null };
    }
    case 'ActivitiesSelected': {
      const { items, ...rest } = event.data;
      return { summary: { count: items.length, ...rest }, items };
    }
    case 'ActivitiesDeselected': {
      const { activityIds, ...rest } = event.data;
      return {
        summary: { count: activityIds.length, ...rest },
        items: activityIds.map((activityId) => ({ activityId })),
      };
    }
    case 'SelectionShared': {
      const { personal, ...rest } = event.data;
      return { summary: { ...rest, ...personal }, items: null };
    }
    default:
      return { summary: event.data, items: null };
  }
}

export const auditFold: Fold = {
  tables: [auditEntries],
  changes(event) {
    const { metadata } = event;
    const key = { tenant: metadata.tenant, position: event.position };
    return [
      {
        table: auditEntries,
        key,
        fold: () => {
          const { summary, items } = tell(event);
          return {
            ...key,
            event_id: event.id,
            type: event.type,
            category: categoryOf(event.stream),
            entity_id: entityIdOf(event.stream),
            stream: event.stream,
            revision: event.revision,
            recorded_at: metadata.recordedAt,
            actor: metadata.actor,
            correlation_id: metadata.correlationId,
            command_id: metadata.commandId,
            sync_run: metadata.sync?.run ?? null,
            decision: !consequences.has(event.type),
            summary: JSON.stringify(summary),
            items: items && JSON.stringify(items),
          };
        },
      },
    ];
  },
};
