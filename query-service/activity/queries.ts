/** What is asked of the catalog about activities. One query a function; each is one statement, as of one position. */
import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { type ActivityRow, activityRow, activityVersion } from '#query-service/activity/shapes.ts';
import { type FieldChange, versionChanges } from '#query-service/activity/version-changes.ts';
import type { ActivityFilter } from '#shared/activity-filter/activity-filter.ts';
import { accountOf, filterCondition } from '#shared/activity-filter/filter-sql.ts';
import { activitySnapshot } from '#shared/events/activity.ts';
import { type Cursor, pageOf } from '#shared/http/page.ts';
import type { Demand, ReadModel, TableOf } from '#shared/read-model/read-model.ts';
import { utc } from '#shared/read-model/sql-text.ts';

/** A list counts exactly up to here; beyond, it says that there are more. */
const countedExactly = 100_000;

const orders = {
  occurredAt: {
    column: sql.fragment`coalesce(a.occurred_at, '-infinity'::timestamptz)`,
    cast: sql.fragment`::timestamptz`,
  },
  dueOn: { column: sql.fragment`coalesce(a.due_on, '-infinity'::date)`, cast: sql.fragment`::date` },
  modifiedAt: {
    column: sql.fragment`coalesce(a.source_modified_at, '-infinity'::timestamptz)`,
    cast: sql.fragment`::timestamptz`,
  },
  duration: { column: sql.fragment`coalesce(a.duration_seconds, -1)`, cast: sql.fragment`::bigint` },
} as const;

/** Those without a value stand before all others when rising, after them when falling. */
export const activitySort = z.enum([
  'occurredAt',
  '-occurredAt',
  'dueOn',
  '-dueOn',
  'modifiedAt',
  '-modifiedAt',
  'duration',
  '-duration',
]);
export type ActivitySort = z.infer<typeof activitySort>;

/** The rows of `picked` as JSON, with the names of what they refer to; accounts are rolled up for these rows only. */
function rowsJson(table: TableOf): FragmentSqlToken {
  const named = (alias: FragmentSqlToken, id: FragmentSqlToken, role: string) => sql.fragment`
    case when ${id} is null and a.names ->> ${role} is null then null
    else json_build_object('id', ${id}, 'name', coalesce(${alias}.name, a.names ->> ${role}), 'type', ${alias}.type) end`;
  const related = (alias: FragmentSqlToken, id: FragmentSqlToken) => sql.fragment`
    left join ${table('related_records')} ${alias} on ${alias}.tenant = a.tenant and ${alias}.source = a.source and ${alias}.source_id = ${id}`;
  return sql.fragment`
    select a.id, a.tenant, a.revision, a.deleted, a.sort_key, json_build_object(
      'id', a.id, 'revision', a.revision, 'kind', a.kind, 'subject', a.subject, 'status', a.status, 'closed', a.is_closed,
      'priority', a.priority, 'direction', a.direction, 'outcome', a.outcome, 'durationSeconds', a.duration_seconds,
      'occurredAt', ${utc(sql.fragment`a.occurred_at`)}, 'dueOn', a.due_on,
      'owner', ${named(sql.fragment`o`, sql.fragment`a.owner_id`, 'owner')},
      'account', ${named(sql.fragment`c`, sql.fragment`x.account`, 'account')},
      'who', ${named(sql.fragment`w`, sql.fragment`a.who_id`, 'who')},
      'what', ${named(sql.fragment`t`, sql.fragment`a.what_id`, 'what')},
      'source', a.source, 'sourceId', a.source_id, 'sourceModifiedAt', ${utc(sql.fragment`a.source_modified_at`)},
      'contentHash', a.content_hash, 'changedAt', ${utc(sql.fragment`a.changed_at`)}
    ) as row
    from picked a
      cross join lateral (select ${accountOf(table)} as account) x
      ${related(sql.fragment`o`, sql.fragment`a.owner_id`)}
      ${related(sql.fragment`c`, sql.fragment`x.account`)}
      ${related(sql.fragment`w`, sql.fragment`a.who_id`)}
      ${related(sql.fragment`t`, sql.fragment`a.what_id`)}`;
}

const pickedColumns = sql.fragment`a.id, a.tenant, a.revision, a.kind, a.subject, a.status, a.is_closed, a.priority, a.direction, a.outcome,
  a.duration_seconds, a.occurred_at, a.due_on, a.owner_id, a.account_id, a.who_id, a.what_id, a.names, a.source, a.source_id,
  a.source_modified_at, a.content_hash, a.changed_at, a.deleted`;

export interface ListRequest {
  readonly tenant: string;
  readonly filter: ActivityFilter;
  readonly sort: ActivitySort;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly demand: Demand;
}

export async function listActivities(readModel: ReadModel, request: ListRequest) {
  const { tenant, filter, sort, limit, cursor, demand } = request;
  const falling = sort.startsWith('-') !== (cursor?.back ?? false);
  const { column, cast } = orders[sort.replace('-', '') as keyof typeof orders];
  const direction = falling ? sql.fragment`desc` : sql.fragment`asc`;
  const beyond = cursor
    ? sql.fragment`and (${column}, a.id) ${falling ? sql.fragment`<` : sql.fragment`>`} (${String(cursor.key[0])}${cast}, ${String(cursor.key[1])}::uuid)`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ rows: z.array(z.object({ row: activityRow, key: z.string() })), total: z.int() }),
    select: (table) => sql.fragment`(
      with picked as (
        select ${pickedColumns}, ${column} as sort_key
        from ${table('activities')} a
        where ${filterCondition(table, tenant, filter)} ${beyond}
        order by ${column} ${direction}, a.id ${direction} limit ${limit + 1}
      )
      select json_build_object(
        'rows', (select coalesce(json_agg(json_build_object('row', r.row, 'key', r.sort_key::text)
                   order by r.sort_key ${direction}, r.id ${direction}), '[]')
                 from (${rowsJson(table)}) r),
        'total', (select count(*) from (select 1 from ${table('activities')} a where ${filterCondition(table, tenant, filter)} limit ${countedExactly + 1}) m)
      ))`,
  });
  const { data, page } = pageOf(answer.data.rows, limit, sort, cursor, ({ row, key }) => [key, row.id]);
  const counted = answer.data.total;
  return {
    data: data.map(({ row }): ActivityRow => row),
    page,
    total: { value: Math.min(counted, countedExactly), exact: counted <= countedExactly },
    asOf: answer.asOf,
  };
}

/** Null where there is none; a deleted one is answered as it was last known. */
export async function readActivity(readModel: ReadModel, tenant: string, id: string, demand: Demand) {
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ row: activityRow, deleted: z.boolean(), snapshot: activitySnapshot }).nullable(),
    select: (table) => sql.fragment`(
      with picked as (
        select ${pickedColumns}, null as sort_key
        from ${table('activities')} a where a.tenant = ${tenant} and a.id = ${id}
      )
      select json_build_object('row', r.row, 'deleted', r.deleted, 'snapshot', v.snapshot)
      from (${rowsJson(table)}) r
        join ${table('activity_versions')} v on v.tenant = r.tenant and v.id = r.id and v.revision = r.revision)`,
  });
  if (!answer.data) return null;
  const { row, deleted, snapshot } = answer.data;
  const derivedFrom = Object.fromEntries(
    Object.entries(snapshot.derived).flatMap(([name, value]) =>
      name.endsWith('From') ? [[name.slice(0, -4), value as string | null]] : [],
    ),
  );
  return {
    ...row,
    deleted,
    body: snapshot.personal.body,
    extra: snapshot.personal.extra,
    derivedFrom,
    asOf: answer.asOf,
  };
}

const versionRow = activityVersion.omit({ changes: true, version: true }).extend({ snapshot: activitySnapshot });

/** Versions, newest first, each with what changed against the one before. */
export async function readHistory(
  readModel: ReadModel,
  request: {
    readonly tenant: string;
    readonly id: string;
    readonly limit: number;
    readonly cursor: Cursor | null;
    readonly demand: Demand;
  },
) {
  const { tenant, id, limit, cursor, demand } = request;
  const back = cursor?.back ?? false;
  const beyond = cursor
    ? back
      ? sql.fragment`and v.revision > ${Number(cursor.key[0])}`
      : sql.fragment`and v.revision < ${Number(cursor.key[0])}`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ rows: z.array(versionRow.extend({ before: activitySnapshot.nullable() })), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'rows', (select coalesce(json_agg(json_build_object(
            'revision', v.revision, 'type', v.type, 'recordedAt', ${utc(sql.fragment`v.recorded_at`)}, 'actor', v.actor,
            'correlationId', v.correlation_id, 'syncRun', v.sync_run, 'position', v.position, 'snapshot', v.snapshot,
            'before', b.snapshot) order by v.revision ${back ? sql.fragment`asc` : sql.fragment`desc`}), '[]')
          from (select * from ${table('activity_versions')} v where v.tenant = ${tenant} and v.id = ${id} ${beyond}
                order by v.revision ${back ? sql.fragment`asc` : sql.fragment`desc`} limit ${limit + 1}) v
            left join ${table('activity_versions')} b on b.tenant = v.tenant and b.id = v.id and b.revision = v.revision - 1),
        'total', (select count(*) from ${table('activity_versions')} v where v.tenant = ${tenant} and v.id = ${id})
      ))`,
  });
  if (answer.data.total === 0) return null;
  const { data, page } = pageOf(answer.data.rows, limit, 'history', cursor, (row) => [row.revision]);
  return {
    data: data.map(({ before, snapshot, ...told }) => {
      const { salt, ...personal } = snapshot.personal;
      const changes: FieldChange[] = before ? versionChanges(before, snapshot) : [];
      return { ...told, changes, version: { ...snapshot, personal } };
    }),
    page,
    total: { value: answer.data.total, exact: true },
    asOf: answer.asOf,
  };
}

export const holdingSelection = z.object({
  id: z.uuid(),
  name: z.string(),
  status: z.string(),
  revision: z.int().describe('the version of the activity that it holds or held'),
  selectedAt: z.string(),
  removedAt: z.string().nullable(),
});

/** Every selection that ever held it, latest first. */
export async function selectionsOfActivity(
  readModel: ReadModel,
  request: {
    readonly tenant: string;
    readonly id: string;
    readonly limit: number;
    readonly cursor: Cursor | null;
    readonly demand: Demand;
  },
) {
  const { tenant, id, limit, cursor, demand } = request;
  const back = cursor?.back ?? false;
  const direction = back ? sql.fragment`asc` : sql.fragment`desc`;
  const beyond = cursor
    ? sql.fragment`and (i.selected_at, i.selection_id) ${back ? sql.fragment`>` : sql.fragment`<`} (${String(cursor.key[0])}::timestamptz, ${String(cursor.key[1])}::uuid)`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ known: z.boolean(), rows: z.array(holdingSelection), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'known', exists (select 1 from ${table('activities')} where tenant = ${tenant} and id = ${id}),
        'rows', (select coalesce(json_agg(json_build_object('id', i.selection_id, 'name', s.name, 'status', s.status, 'revision', i.revision,
            'selectedAt', ${utc(sql.fragment`i.selected_at`)}, 'removedAt', ${utc(sql.fragment`i.removed_at`)}) order by i.selected_at ${direction}, i.selection_id ${direction}), '[]')
          from (select * from ${table('selection_items')} i where i.tenant = ${tenant} and i.activity_id = ${id} ${beyond}
                order by i.selected_at ${direction}, i.selection_id ${direction} limit ${limit + 1}) i
            join ${table('selections')} s on s.tenant = i.tenant and s.id = i.selection_id),
        'total', (select count(*) from ${table('selection_items')} where tenant = ${tenant} and activity_id = ${id})
      ))`,
  });
  if (!answer.data.known) return null;
  const { data, page } = pageOf(answer.data.rows, limit, 'selections', cursor, (row) => [row.selectedAt, row.id]);
  return { data, page, total: { value: answer.data.total, exact: true }, asOf: answer.asOf };
}
