import { activities, activityVersions } from '#projector/activity/tables.ts';
import type { Fold } from '#projector/projection.ts';
import { textCell } from '#projector/table.ts';
import { entityIdOf } from '#shared/events/stream-name.ts';

/** Queries take names apart in SQL, which cannot hold every text that JSON can. */
const shownNames = (names: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(names).map(([role, name]) => [textCell(role), textCell(name)]));

export const activityFold: Fold = {
  tables: [activities, activityVersions],
  changes(event) {
    switch (event.type) {
      case 'ActivityRecorded':
      case 'ActivityRevised':
      case 'ActivityDeleted':
      case 'ActivityRestored': {
        const { data, metadata } = event;
        const { derived, personal } = data;
        const key = { tenant: metadata.tenant, id: entityIdOf(event.stream) };
        return [
          {
            table: activities,
            key,
            fold: (row) => ({
              ...key,
              revision: event.revision,
              source: data.source,
              source_id: textCell(data.sourceId),
              object: textCell(data.object),
              kind: derived.kind,
              status: textCell(data.status),
              is_closed: derived.isClosed,
              priority: textCell(data.priority),
              direction: derived.direction,
              outcome: textCell(derived.outcome),
              duration_seconds: data.durationSeconds,
              occurred_at: derived.occurredAt,
              due_on: data.dueOn,
              owner_id: textCell(data.ownerId),
              account_id: textCell(data.accountId),
              who_id: textCell(data.whoId),
              what_id: textCell(data.whatId),
              subject: textCell(personal.subject),
              body: textCell(personal.body),
              names: JSON.stringify(shownNames(personal.names)),
              deleted: event.type === 'ActivityDeleted',
              content_hash: data.contentHash,
              source_modified_at: data.sourceModifiedAt,
              recorded_at: row?.['recorded_at'] ?? metadata.recordedAt,
              changed_at: metadata.recordedAt,
              position: event.position,
            }),
          },
          {
            table: activityVersions,
            key: { ...key, revision: event.revision },
            fold: () => ({
              ...key,
              revision: event.revision,
              type: event.type,
              snapshot: JSON.stringify(data),
              recorded_at: metadata.recordedAt,
              actor: metadata.actor,
              correlation_id: metadata.correlationId,
              sync_run: metadata.sync?.run ?? null,
              position: event.position,
            }),
          },
        ];
      }
      default:
        return [];
    }
  },
};
