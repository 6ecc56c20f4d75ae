/** What is asked of sync runs and the records they rejected. */
import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { syncCounts } from '#shared/events/sync-run.ts';
import { type Cursor, pageOf } from '#shared/http/page.ts';
import type { Demand, ReadModel } from '#shared/read-model/read-model.ts';
import { utc } from '#shared/read-model/sql-text.ts';

export const syncRunRow = z.object({
  id: z.uuid(),
  revision: z.int(),
  source: z.string(),
  channel: z.string(),
  mode: z.string(),
  status: z.enum(['running', 'completed', 'failed', 'cancelled']),
  epoch: z.int(),
  mapping: z.record(z.string(), z.string()),
  parts: z.array(z.record(z.string(), z.unknown())),
  requestedBy: z.string(),
  batches: z.int(),
  totals: syncCounts,
  watermark: z.string().nullable(),
  error: z.string().nullable(),
  startedAt: z.string(),
  changedAt: z.string(),
  endedAt: z.string().nullable(),
});

const runJson: FragmentSqlToken = sql.fragment`json_build_object(
  'id', s.id, 'revision', s.revision, 'source', s.source, 'channel', s.channel, 'mode', s.mode, 'status', s.status, 'epoch', s.epoch,
  'mapping', s.mapping, 'parts', s.parts, 'requestedBy', s.requested_by, 'batches', s.batches,
  'totals', json_build_object('received', s.received, 'recorded', s.recorded, 'revised', s.revised, 'unchanged', s.unchanged,
    'stale', s.stale, 'deleted', s.deleted, 'rejected', s.rejected),
  'watermark', ${utc(sql.fragment`s.watermark`)}, 'error', s.error, 'startedAt', ${utc(sql.fragment`s.started_at`)},
  'changedAt', ${utc(sql.fragment`s.changed_at`)}, 'endedAt', ${utc(sql.fragment`s.ended_at`)})`;

interface Page {
  readonly tenant: string;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly demand: Demand;
}

/** Last started first. */
export async function listSyncRuns(readModel: ReadModel, { tenant, limit, cursor, demand }: Page) {
  const back = cursor?.back ?? false;
  const direction = back ? sql.fragment`asc` : sql.fragment`desc`;
  const beyond = cursor
    ? sql.fragment`and (s.started_at, s.id) ${back ? sql.fragment`>` : sql.fragment`<`} (${String(cursor.key[0])}::timestamptz, ${String(cursor.key[1])}::uuid)`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'operations',
    tenant,
    demand,
    shape: z.object({ rows: z.array(syncRunRow), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'rows', (select coalesce(json_agg(${runJson} order by s.started_at ${direction}, s.id ${direction}), '[]')
          from (select * from ${table('sync_runs')} s where s.tenant = ${tenant} ${beyond}
                order by s.started_at ${direction}, s.id ${direction} limit ${limit + 1}) s),
        'total', (select count(*) from ${table('sync_runs')} where tenant = ${tenant})
      ))`,
  });
  const { data, page } = pageOf(answer.data.rows, limit, 'started', cursor, (row) => [row.startedAt, row.id]);
  return { data, page, total: { value: answer.data.total, exact: true }, asOf: answer.asOf };
}

export async function readSyncRun(readModel: ReadModel, tenant: string, id: string, demand: Demand) {
  const answer = await readModel.read({
    projection: 'operations',
    tenant,
    demand,
    shape: syncRunRow.nullable(),
    select: (table) =>
      sql.fragment`(select ${runJson} from ${table('sync_runs')} s where s.tenant = ${tenant} and s.id = ${id})`,
  });
  return answer.data && { ...answer.data, asOf: answer.asOf };
}

export const rejectRow = z.object({
  part: z.int(),
  batch: z.int(),
  number: z.int(),
  line: z.int().nullable(),
  sourceId: z.string().nullable(),
  reason: z.string(),
});

/** In the order of the records. Null: there is no such run. */
export async function listRejects(
  readModel: ReadModel,
  { tenant, limit, cursor, demand, id }: Page & { readonly id: string },
) {
  const back = cursor?.back ?? false;
  const direction = back ? sql.fragment`desc` : sql.fragment`asc`;
  const [part, batch, number] = cursor?.key.map(Number) ?? [];
  const beyond = cursor
    ? sql.fragment`and (r.part, r.batch, r.number) ${back ? sql.fragment`<` : sql.fragment`>`} (${part ?? 0}, ${batch ?? 0}, ${number ?? 0})`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'operations',
    tenant,
    demand,
    shape: z.object({ known: z.boolean(), rows: z.array(rejectRow), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'known', exists (select 1 from ${table('sync_runs')} where tenant = ${tenant} and id = ${id}),
        'rows', (select coalesce(json_agg(json_build_object('part', r.part, 'batch', r.batch, 'number', r.number, 'line', r.line,
            'sourceId', r.source_id, 'reason', r.reason) order by r.part ${direction}, r.batch ${direction}, r.number ${direction}), '[]')
          from (select * from ${table('sync_rejects')} r where r.tenant = ${tenant} and r.run = ${id} ${beyond}
                order by r.part ${direction}, r.batch ${direction}, r.number ${direction} limit ${limit + 1}) r),
        'total', (select count(*) from ${table('sync_rejects')} where tenant = ${tenant} and run = ${id})
      ))`,
  });
  if (!answer.data.known) return null;
  const { data, page } = pageOf(answer.data.rows, limit, 'rejects', cursor, (row) => [row.part, row.batch, row.number]);
  return { data, page, total: { value: answer.data.total, exact: true }, asOf: answer.asOf };
}
