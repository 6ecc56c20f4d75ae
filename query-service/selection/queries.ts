/** What is asked of the catalog about selections. */
import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { fieldChange, shownSnapshot } from '#query-service/activity/shapes.ts';
import { versionChanges } from '#query-service/activity/version-changes.ts';
import { accountOf } from '#shared/activity-filter/filter-sql.ts';
import { activitySnapshot } from '#shared/events/activity.ts';
import { type Cursor, pageOf } from '#shared/http/page.ts';
import type { Demand, ReadModel, TableOf } from '#shared/read-model/read-model.ts';
import { allOf, utc } from '#shared/read-model/sql-text.ts';

export const selectionStatus = z.enum(['open', 'frozen', 'discarded']);

export const selectionRow = z.object({
  id: z.uuid(),
  revision: z.int(),
  name: z.string(),
  purpose: z.string().nullable(),
  status: selectionStatus,
  filling: z.boolean(),
  count: z.int(),
  digest: z.string().nullable(),
  copiedFrom: z.uuid().nullable(),
  filter: z.record(z.string(), z.unknown()).nullable(),
  openedBy: z.string(),
  openedAt: z.string(),
  frozenAt: z.string().nullable(),
  changedAt: z.string(),
  exports: z.int(),
  shares: z.int(),
});

function selectionJson(table: TableOf): FragmentSqlToken {
  return sql.fragment`json_build_object(
    'id', s.id, 'revision', s.revision, 'name', s.name, 'purpose', s.purpose, 'status', s.status, 'filling', s.filling,
    'count', coalesce(s.frozen_count, (select count(*) from ${table('selection_items')} i
      where i.tenant = s.tenant and i.selection_id = s.id and i.removed_at is null)),
    'digest', s.digest, 'copiedFrom', s.copied_from, 'filter', s.filter, 'openedBy', s.opened_by,
    'openedAt', ${utc(sql.fragment`s.opened_at`)}, 'frozenAt', ${utc(sql.fragment`s.frozen_at`)},
    'changedAt', ${utc(sql.fragment`s.changed_at`)}, 'exports', s.exports, 'shares', s.shares)`;
}

interface Page {
  readonly tenant: string;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly demand: Demand;
}

/** Last changed first. */
export async function listSelections(
  readModel: ReadModel,
  { tenant, limit, cursor, demand, statuses }: Page & { readonly statuses: readonly string[] },
) {
  const back = cursor?.back ?? false;
  const direction = back ? sql.fragment`asc` : sql.fragment`desc`;
  const conditions = [sql.fragment`s.tenant = ${tenant}`];
  if (statuses.length > 0) conditions.push(sql.fragment`s.status = any(${sql.array([...statuses], 'text')})`);
  const matching = allOf(conditions);
  const beyond = cursor
    ? sql.fragment`and (s.changed_at, s.id) ${back ? sql.fragment`>` : sql.fragment`<`} (${String(cursor.key[0])}::timestamptz, ${String(cursor.key[1])}::uuid)`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ rows: z.array(selectionRow), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'rows', (select coalesce(json_agg(${selectionJson(table)} order by s.changed_at ${direction}, s.id ${direction}), '[]')
          from (select * from ${table('selections')} s where ${matching} ${beyond}
                order by s.changed_at ${direction}, s.id ${direction} limit ${limit + 1}) s),
        'total', (select count(*) from ${table('selections')} s where ${matching})
      ))`,
  });
  const { data, page } = pageOf(answer.data.rows, limit, 'changed', cursor, (row) => [row.changedAt, row.id]);
  return { data, page, total: { value: answer.data.total, exact: true }, asOf: answer.asOf };
}

export async function readSelection(readModel: ReadModel, tenant: string, id: string, demand: Demand) {
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: selectionRow.nullable(),
    select: (table) =>
      sql.fragment`(select ${selectionJson(table)} from ${table('selections')} s where s.tenant = ${tenant} and s.id = ${id})`,
  });
  return answer.data && { ...answer.data, asOf: answer.asOf };
}

const named = z.object({ id: z.string().nullable(), name: z.string().nullable() });

export const selectedActivity = z.object({
  id: z.uuid(),
  revision: z.int(),
  contentHash: z.string(),
  selectedAt: z.string(),
  currentRevision: z.int().describe('greater than the revision: the CRM changed it since'),
  deleted: z.boolean().describe('deleted in the CRM since'),
  owner: named,
  account: named,
  who: named,
  version: shownSnapshot,
});

const selectedRow = selectedActivity
  .omit({ version: true })
  .extend({ snapshot: activitySnapshot, current: activitySnapshot.nullable() });

/** Items by activity id, with the version that was selected; `changedOnly`: those that the CRM changed since. */
async function readItems(
  readModel: ReadModel,
  { tenant, limit, cursor, demand, id, changedOnly }: Page & { readonly id: string; readonly changedOnly: boolean },
) {
  const back = cursor?.back ?? false;
  const direction = back ? sql.fragment`desc` : sql.fragment`asc`;
  const beyond = cursor
    ? sql.fragment`and i.activity_id ${back ? sql.fragment`<` : sql.fragment`>`} ${String(cursor.key[0])}::uuid`
    : sql.fragment``;
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.object({ known: z.boolean(), rows: z.array(selectedRow), total: z.int() }),
    select: (table) => {
      const items = sql.fragment`${table('selection_items')} i join ${table('activities')} a on a.tenant = i.tenant and a.id = i.activity_id
        where i.tenant = ${tenant} and i.selection_id = ${id} and i.removed_at is null
          ${changedOnly ? sql.fragment`and (a.revision > i.revision or a.deleted)` : sql.fragment``}`;
      const name = (key: FragmentSqlToken) =>
        sql.fragment`(select r.name from ${table('related_records')} r where r.tenant = ${tenant} and r.source = p.source and r.source_id = ${key})`;
      return sql.fragment`(
        select json_build_object(
          'known', exists (select 1 from ${table('selections')} where tenant = ${tenant} and id = ${id}),
          'rows', (select coalesce(json_agg(json_build_object(
              'id', p.id, 'revision', p.revision, 'contentHash', p.content_hash, 'selectedAt', ${utc(sql.fragment`p.selected_at`)},
              'currentRevision', p.current_revision, 'deleted', p.deleted,
              'owner', json_build_object('id', p.owner_id, 'name', ${name(sql.fragment`p.owner_id`)}),
              'account', json_build_object('id', p.account, 'name', ${name(sql.fragment`p.account`)}),
              'who', json_build_object('id', p.who_id, 'name', ${name(sql.fragment`p.who_id`)}),
              'snapshot', v.snapshot, 'current', ${changedOnly ? sql.fragment`n.snapshot` : sql.fragment`null`}) order by p.id ${direction}), '[]')
            from (select a.id, a.tenant, a.source, a.owner_id, a.who_id, a.deleted, a.revision as current_revision,
                         i.revision, i.content_hash, i.selected_at, ${accountOf(table)} as account
                  from ${items} ${beyond} order by i.activity_id ${direction} limit ${limit + 1}) p
              join ${table('activity_versions')} v on v.tenant = p.tenant and v.id = p.id and v.revision = p.revision
              join ${table('activity_versions')} n on n.tenant = p.tenant and n.id = p.id and n.revision = p.current_revision),
          'total', (select count(*) from ${items})
        ))`;
    },
  });
  if (!answer.data.known) return null;
  const { data, page } = pageOf(answer.data.rows, limit, changedOnly ? 'changes' : 'items', cursor, (row) => [row.id]);
  return { data, page, total: { value: answer.data.total, exact: true }, asOf: answer.asOf };
}

export async function selectionContent(readModel: ReadModel, request: Page & { readonly id: string }) {
  const answer = await readItems(readModel, { ...request, changedOnly: false });
  return (
    answer && {
      ...answer,
      data: answer.data.map(({ snapshot, current, ...row }) => {
        const { salt, ...personal } = snapshot.personal;
        return { ...row, version: { ...snapshot, personal } };
      }),
    }
  );
}

export const changedActivity = z.object({
  id: z.uuid(),
  selectedRevision: z.int(),
  currentRevision: z.int(),
  deleted: z.boolean(),
  changes: z.array(fieldChange),
});

/** What the CRM changed of the selected versions since. */
export async function changesSince(readModel: ReadModel, request: Page & { readonly id: string }) {
  const answer = await readItems(readModel, { ...request, changedOnly: true });
  return (
    answer && {
      ...answer,
      data: answer.data.map(({ id, revision, currentRevision, deleted, snapshot, current }) => ({
        id,
        selectedRevision: revision,
        currentRevision,
        deleted,
        changes: current ? versionChanges(snapshot, current) : [],
      })),
    }
  );
}
