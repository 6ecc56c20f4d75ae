import type { Fold } from '#projector/projection.ts';
import { relatedRecords } from '#projector/related-record/tables.ts';
import { textCell } from '#projector/table.ts';
import { entityIdOf } from '#shared/events/stream-name.ts';

export const relatedRecordFold: Fold = {
  tables: [relatedRecords],
  changes(event) {
    switch (event.type) {
      case 'RelatedRecordAdded':
      case 'RelatedRecordRevised':
      case 'RelatedRecordDeleted': {
        const { data, metadata } = event;
        const key = { tenant: metadata.tenant, source: data.source, source_id: textCell(data.sourceId) };
        return [
          {
            table: relatedRecords,
            key,
            fold: () => ({
              ...key,
              id: entityIdOf(event.stream),
              revision: event.revision,
              type: data.type,
              name: textCell(data.personal.name),
              email: textCell(data.personal.email),
              account_id: textCell(data.accountId),
              contact_id: textCell(data.contactId),
              manager_id: textCell(data.managerId),
              team_id: textCell(data.teamId),
              deleted: event.type === 'RelatedRecordDeleted',
              content_hash: data.contentHash,
              source_modified_at: data.sourceModifiedAt,
              changed_at: metadata.recordedAt,
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
