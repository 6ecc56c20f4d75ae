/** The filter as SQL over the catalog. `a` is the activity's row. */
import { type FragmentSqlToken, sql } from 'slonik';
import type { ActivityFilter } from '#shared/activity-filter/activity-filter.ts';
import type { TableOf } from '#shared/read-model/read-model.ts';

/**
 * The account of an activity: its own, else that of what it is about (an account, opportunity or case), else that of
 * its contact. Null where there is none.
 */
export function accountOf(table: TableOf): FragmentSqlToken {
  return sql.fragment`coalesce(
    a.account_id,
    (select case when w.type = 'account' then w.source_id else w.account_id end from ${table('related_records')} w
     where w.tenant = a.tenant and w.source = a.source and w.source_id = a.what_id and w.type in ('account', 'opportunity', 'case')),
    (select c.account_id from ${table('related_records')} c
     where c.tenant = a.tenant and c.source = a.source and c.source_id = a.who_id)
  )`;
}

const textList = (values: readonly (string | null)[]) => values.filter((value): value is string => value !== null);

function anyOf(column: FragmentSqlToken, values: readonly (string | null)[]): FragmentSqlToken {
  const given = textList(values);
  const equal = sql.fragment`${column} = any(${sql.array(given, 'text')})`;
  if (!values.includes(null)) return equal;
  return given.length === 0 ? sql.fragment`${column} is null` : sql.fragment`(${column} is null or ${equal})`;
}

/** First the rows that can be meant at all (by index), then the exact rule. */
function accountCondition(table: TableOf, tenant: string, values: readonly (string | null)[]): FragmentSqlToken {
  const exact = anyOf(accountOf(table), values);
  if (values.includes(null)) return exact;
  const ids = sql.array(textList(values), 'text');
  const related = sql.fragment`select r.source_id from ${table('related_records')} r where r.tenant = ${tenant} and (r.account_id = any(${ids}) or r.source_id = any(${ids}))`;
  return sql.fragment`(a.account_id = any(${ids}) or a.what_id in (${related}) or a.who_id in (${related})) and ${exact}`;
}

function rangeConditions(
  column: FragmentSqlToken,
  type: 'timestamptz' | 'date',
  range: NonNullable<ActivityFilter['occurredAt']>,
): FragmentSqlToken[] {
  const cast = type === 'date' ? sql.fragment`::date` : sql.fragment`::timestamptz`;
  const conditions: FragmentSqlToken[] = [];
  if (range.gte !== undefined) conditions.push(sql.fragment`${column} >= ${range.gte}${cast}`);
  if (range.gt !== undefined) conditions.push(sql.fragment`${column} > ${range.gt}${cast}`);
  if (range.lte !== undefined) conditions.push(sql.fragment`${column} <= ${range.lte}${cast}`);
  if (range.lt !== undefined) conditions.push(sql.fragment`${column} < ${range.lt}${cast}`);
  if (range.null !== undefined)
    conditions.push(range.null ? sql.fragment`${column} is null` : sql.fragment`${column} is not null`);
  return conditions;
}

/** The where clause: of the tenant, not deleted (unless those are wanted too), matching. */
export function filterCondition(
  table: TableOf,
  tenant: string,
  filter: ActivityFilter,
  options: { readonly deletedToo?: boolean } = {},
): FragmentSqlToken {
  const conditions: FragmentSqlToken[] = [sql.fragment`a.tenant = ${tenant}`];
  if (!options.deletedToo) conditions.push(sql.fragment`not a.deleted`);
  const lists = [
    [filter.kind, sql.fragment`a.kind`],
    [filter.status, sql.fragment`a.status`],
    [filter.priority, sql.fragment`a.priority`],
    [filter.owner, sql.fragment`a.owner_id`],
    [filter.contact, sql.fragment`a.who_id`],
    [filter.direction, sql.fragment`a.direction`],
    [filter.outcome, sql.fragment`a.outcome`],
  ] as const;
  for (const [values, column] of lists) if (values) conditions.push(anyOf(column, values as (string | null)[]));
  if (filter.account) conditions.push(accountCondition(table, tenant, filter.account as (string | null)[]));
  if (filter.closed !== undefined) conditions.push(sql.fragment`a.is_closed = ${filter.closed}`);
  if (filter.occurredAt)
    conditions.push(...rangeConditions(sql.fragment`a.occurred_at`, 'timestamptz', filter.occurredAt));
  if (filter.dueOn) conditions.push(...rangeConditions(sql.fragment`a.due_on`, 'date', filter.dueOn));
  if (filter.text !== undefined)
    conditions.push(sql.fragment`a.search @@ websearch_to_tsquery('simple', ${filter.text.replaceAll('\u0000', '')})`);
  if (filter.selection !== undefined)
    conditions.push(sql.fragment`exists (
      select 1 from ${table('selection_items')} i
      where i.tenant = a.tenant and i.activity_id = a.id and i.selection_id = ${filter.selection} and i.removed_at is null)`);
  if (filter.selected !== undefined) {
    const held = sql.fragment`exists (${heldBy(table)})`;
    conditions.push(filter.selected ? held : sql.fragment`not ${held}`);
  }
  return sql.fragment`${sql.join(conditions, sql.fragment` and `)}`;
}

/** Selections, not discarded, that hold the activity. */
export function heldBy(table: TableOf): FragmentSqlToken {
  return sql.fragment`
    select i.selection_id from ${table('selection_items')} i
      join ${table('selections')} s on s.tenant = i.tenant and s.id = i.selection_id
    where i.tenant = a.tenant and i.activity_id = a.id and i.removed_at is null and s.status <> 'discarded'`;
}
