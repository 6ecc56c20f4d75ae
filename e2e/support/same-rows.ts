/**
 * Final rows of an import, without what must differ between two imports of the same content: salts and the hashes made
 * with them, positions, times of ours, ids of runs and requests, and with them the audit trail and the runs themselves.
 */
import type { Json } from './api.ts';
import type { PlainRow, ReadModelRows } from './read-model-rows.ts';

const volatileColumns = [
  'content_hash',
  'position',
  'recorded_at',
  'changed_at',
  'correlation_id',
  'sync_run',
  'actor',
  'tenant',
  'id',
];

function comparable(row: PlainRow): PlainRow {
  const kept = Object.fromEntries(Object.entries(row).filter(([column]) => !volatileColumns.includes(column)));
  const snapshot = kept['snapshot'] as Json;
  if (!snapshot) return kept;
  const { contentHash, personal, ...facts } = snapshot;
  const { salt, ...texts } = personal;
  return { ...kept, snapshot: { ...facts, personal: texts } };
}

/** What was imported of one tenant; ids are left out (they name the tenant), the ids of the source stand for them. */
export function importedRows(rows: ReadModelRows, tenant: string): Record<string, PlainRow[]> {
  const of = (table: string) => {
    const own = (rows.get(`catalog.${table}`) ?? []).filter((row) => row['tenant'] === tenant).map(comparable);
    const key = (row: PlainRow) =>
      JSON.stringify([
        row['source'] ?? (row['snapshot'] as Json).source,
        row['source_id'] ?? (row['snapshot'] as Json).sourceId,
        row['revision'],
      ]);
    return own.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  };
  return { activities: of('activities'), versions: of('activity_versions'), related: of('related_records') };
}
