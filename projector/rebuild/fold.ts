import type { Fold } from '#projector/projection.ts';
import { rebuilds } from '#projector/rebuild/tables.ts';
import { type Row, textCell } from '#projector/table.ts';
import type { StoredEvent } from '#shared/events/event.ts';

function rebuildRow(event: StoredEvent): Row {
  switch (event.type) {
    case 'RebuildStarted':
      return {
        projection: event.data.projection,
        status: 'running',
        reason: textCell(event.data.reason),
        requested_by: event.metadata.actor,
        from_generation: null,
        to_generation: null,
        events: null,
        seconds: null,
        error: null,
        started_at: event.metadata.recordedAt,
        ended_at: null,
      };
    case 'GenerationSwapped':
      return { from_generation: event.data.from, to_generation: event.data.to };
    case 'RebuildFinished':
      return {
        status: event.data.outcome,
        events: event.data.events,
        seconds: String(event.data.seconds),
        error: textCell(event.data.error),
        ended_at: event.metadata.recordedAt,
      };
    default:
      return {};
  }
}

export const rebuildFold: Fold = {
  tables: [rebuilds],
  changes(event) {
    if (event.type !== 'RebuildStarted' && event.type !== 'GenerationSwapped' && event.type !== 'RebuildFinished')
      return [];
    const key = { tenant: event.metadata.tenant, id: event.data.rebuildId };
    return [
      { table: rebuilds, key, fold: (row) => ({ ...row, ...key, ...rebuildRow(event), position: event.position }) },
    ];
  },
};
