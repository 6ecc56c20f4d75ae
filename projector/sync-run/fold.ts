import type { Fold } from '#projector/projection.ts';
import { syncRejects, syncRuns } from '#projector/sync-run/tables.ts';
import { type Change, type Row, textCell } from '#projector/table.ts';
import type { StoredEvent } from '#shared/events/event.ts';
import { entityIdOf } from '#shared/events/stream-name.ts';

const counts = ['received', 'recorded', 'revised', 'unchanged', 'stale', 'deleted', 'rejected'] as const;

function runRow(event: StoredEvent, row: Row | undefined): Row {
  const ended = (status: string): Row => ({ status, ended_at: event.metadata.recordedAt });
  switch (event.type) {
    case 'SyncStarted':
      return {
        source: event.data.source,
        channel: event.data.channel,
        mode: event.data.mode,
        status: 'running',
        epoch: event.data.epoch,
        mapping: JSON.stringify(event.data.mapping),
        parts: JSON.stringify(event.data.parts),
        requested_by: event.data.requestedBy,
        ...Object.fromEntries(counts.map((count) => [count, 0])),
        batches: 0,
        watermark: null,
        error: null,
        started_at: event.metadata.recordedAt,
        ended_at: null,
      };
    case 'SyncBatchApplied':
      return {
        ...Object.fromEntries(counts.map((count) => [count, Number(row?.[count] ?? 0) + event.data[count]])),
        batches: Number(row?.['batches'] ?? 0) + 1,
      };
    case 'SyncCompleted':
      return { ...ended('completed'), watermark: event.data.watermark };
    case 'SyncFailed':
      return { ...ended('failed'), error: textCell(event.data.error) };
    case 'SyncCancelled':
      return { ...ended('cancelled'), error: textCell(event.data.reason) };
    default:
      return {};
  }
}

export const syncRunFold: Fold = {
  tables: [syncRuns, syncRejects],
  changes(event) {
    if (!event.stream.startsWith('syncrun-')) return [];
    const { tenant, recordedAt } = event.metadata;
    const run = entityIdOf(event.stream);
    const key = { tenant, id: run };
    const changes: Change[] = [
      {
        table: syncRuns,
        key,
        fold: (row) => ({
          ...row,
          ...key,
          ...runRow(event, row),
          revision: event.revision,
          changed_at: recordedAt,
          position: event.position,
        }),
      },
    ];
    if (event.type === 'SyncBatchApplied')
      event.data.rejects.forEach((reject, number) => {
        const place = { tenant, run, part: event.data.part, batch: event.data.batch, number };
        changes.push({
          table: syncRejects,
          key: place,
          fold: () => ({
            ...place,
            line: reject.line,
            source_id: textCell(reject.sourceId),
            reason: textCell(reject.reason),
          }),
        });
      });
    return changes;
  },
};
