import type { Fold } from '#projector/projection.ts';
import { selectionItems, selections } from '#projector/selection/tables.ts';
import { type Change, type Row, textCell } from '#projector/table.ts';
import type { StoredEvent } from '#shared/events/event.ts';
import { entityIdOf } from '#shared/events/stream-name.ts';

/** The selection's own row: what an event changes of it. */
function selectionRow(event: StoredEvent, row: Row | undefined): Row {
  switch (event.type) {
    case 'SelectionOpened':
      return {
        name: textCell(event.data.name),
        purpose: textCell(event.data.purpose),
        status: 'open',
        filling: false,
        copied_from: event.data.copiedFrom,
        filter: event.data.filter === null ? null : JSON.stringify(event.data.filter),
        digest: null,
        frozen_count: null,
        frozen_at: null,
        opened_by: event.metadata.actor,
        opened_at: event.metadata.recordedAt,
        exports: 0,
        shares: 0,
      };
    case 'ActivitiesSelected':
    case 'ActivitiesDeselected':
      return { filling: event.data.part < event.data.of };
    case 'SelectionRenamed':
      return { name: textCell(event.data.name) };
    case 'SelectionPurposeChanged':
      return { purpose: textCell(event.data.purpose) };
    case 'SelectionFrozen':
      return {
        status: 'frozen',
        digest: event.data.digest,
        frozen_count: event.data.count,
        frozen_at: event.metadata.recordedAt,
      };
    case 'SelectionDiscarded':
      return { status: 'discarded', filling: false };
    case 'SelectionReopened':
      return { status: 'open' };
    case 'SelectionExported':
      return { exports: Number(row?.['exports'] ?? 0) + 1 };
    case 'SelectionShared':
      return { shares: Number(row?.['shares'] ?? 0) + 1 };
    default:
      return {};
  }
}

function itemChanges(event: StoredEvent, tenant: string, selection: string): Change[] {
  if (event.type === 'ActivitiesSelected')
    return event.data.items.map((item) => {
      const key = { tenant, selection_id: selection, activity_id: item.activityId };
      return {
        table: selectionItems,
        key,
        fold: () => ({
          ...key,
          revision: item.revision,
          content_hash: item.contentHash,
          selected_at: event.metadata.recordedAt,
          removed_at: null,
        }),
      };
    });
  if (event.type === 'ActivitiesDeselected')
    return event.data.activityIds.map((activity) => {
      const key = { tenant, selection_id: selection, activity_id: activity };
      return {
        table: selectionItems,
        key,
        fold: (row) => {
          if (!row) throw new Error(`${event.stream} takes out an activity that it does not hold`);
          return { ...row, removed_at: event.metadata.recordedAt };
        },
      };
    });
  return [];
}

export const selectionFold: Fold = {
  tables: [selections, selectionItems],
  changes(event) {
    if (!event.stream.startsWith('selection-')) return [];
    const id = entityIdOf(event.stream);
    const { tenant, recordedAt } = event.metadata;
    const key = { tenant, id };
    return [
      {
        table: selections,
        key,
        fold: (row) => ({
          ...row,
          ...key,
          ...selectionRow(event, row),
          revision: event.revision,
          changed_at: recordedAt,
          position: event.position,
        }),
      },
      ...itemChanges(event, tenant, id),
    ];
  },
};
