/** The audit trail: a row an event, with where the request came from as long as that is kept. */
import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { type Cursor, pageOf } from '#shared/http/page.ts';
import type { Demand, ReadModel } from '#shared/read-model/read-model.ts';
import { allOf, utc } from '#shared/read-model/sql-text.ts';

const countedExactly = 100_000;

export const auditEntry = z.object({
  position: z.string(),
  eventId: z.uuid(),
  action: z.string().describe('the type of the event'),
  entity: z.object({ category: z.string(), id: z.string(), revision: z.int() }),
  at: z.string(),
  actor: z.object({ id: z.string(), name: z.string().nullable() }),
  from: z
    .object({ address: z.string().nullable(), userAgent: z.string().nullable() })
    .describe('null where it was erased, or where the system acted'),
  correlationId: z.uuid(),
  syncRun: z.uuid().nullable(),
  decision: z.boolean().describe('decided by somebody; false: it followed from something'),
  summary: z.record(z.string(), z.unknown()),
  items: z
    .array(z.record(z.string(), z.unknown()))
    .nullable()
    .optional()
    .describe('the versions of activities that it is about; left out of lists'),
});
export type AuditEntry = z.infer<typeof auditEntry>;

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: readonly string[] | undefined;
  /** Stream of an entity, for example selection-<id>. */
  readonly entity?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly syncRun?: string | undefined;
  readonly events: 'decisions' | 'all';
}

function conditionOf(tenant: string, filter: AuditFilter): FragmentSqlToken {
  const conditions = [sql.fragment`e.tenant = ${tenant}`];
  if (filter.events === 'decisions') conditions.push(sql.fragment`e.decision`);
  if (filter.actor !== undefined) conditions.push(sql.fragment`e.actor = ${filter.actor}`);
  if (filter.action !== undefined && filter.action.length > 0)
    conditions.push(sql.fragment`e.type = any(${sql.array([...filter.action], 'text')})`);
  if (filter.entity !== undefined) conditions.push(sql.fragment`e.stream = ${filter.entity}`);
  if (filter.from !== undefined) conditions.push(sql.fragment`e.recorded_at >= ${filter.from}::timestamptz`);
  if (filter.to !== undefined) conditions.push(sql.fragment`e.recorded_at < ${filter.to}::timestamptz`);
  if (filter.correlationId !== undefined) conditions.push(sql.fragment`e.correlation_id = ${filter.correlationId}`);
  if (filter.syncRun !== undefined)
    conditions.push(sql.fragment`(e.sync_run = ${filter.syncRun} or e.stream = ${`syncrun-${filter.syncRun}`})`);
  return allOf(conditions);
}

const entryJson = (withItems: boolean): FragmentSqlToken => sql.fragment`json_build_object(
  'position', e.position, 'eventId', e.event_id, 'action', e.type,
  'entity', json_build_object('category', e.category, 'id', e.entity_id, 'revision', e.revision),
  'at', ${utc(sql.fragment`e.recorded_at`)}, 'actor', json_build_object('id', e.actor, 'name', o.actor_name),
  'from', json_build_object('address', o.client_address, 'userAgent', o.user_agent),
  'correlationId', e.correlation_id, 'syncRun', e.sync_run, 'decision', e.decision, 'summary', e.summary
  ${withItems ? sql.fragment`, 'items', e.items` : sql.fragment``})`;

const origins = sql.fragment`left join command.request_origins o on o.tenant = e.tenant and o.correlation_id = e.correlation_id`;

export interface AuditRequest {
  readonly tenant: string;
  readonly filter: AuditFilter;
  /** First to last; else newest first. */
  readonly rising: boolean;
  readonly withItems: boolean;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly demand: Demand;
}

export async function listAudit(
  readModel: ReadModel,
  { tenant, filter, rising, withItems, limit, cursor, demand }: AuditRequest,
) {
  const up = rising !== (cursor?.back ?? false);
  const direction = up ? sql.fragment`asc` : sql.fragment`desc`;
  const beyond = cursor
    ? sql.fragment`and e.position ${up ? sql.fragment`>` : sql.fragment`<`} ${String(cursor.key[0])}`
    : sql.fragment``;
  const matching = conditionOf(tenant, filter);
  const answer = await readModel.read({
    projection: 'audit',
    tenant,
    demand,
    shape: z.object({ rows: z.array(auditEntry), total: z.int() }),
    select: (table) => sql.fragment`(
      select json_build_object(
        'rows', (select coalesce(json_agg(${entryJson(withItems)} order by e.position ${direction}), '[]')
          from (select * from ${table('audit_entries')} e where ${matching} ${beyond} order by e.position ${direction} limit ${limit + 1}) e ${origins}),
        'total', (select count(*) from (select 1 from ${table('audit_entries')} e where ${matching} limit ${countedExactly + 1}) m)
      ))`,
  });
  const { data, page } = pageOf(answer.data.rows, limit, 'audit', cursor, (row) => [row.position]);
  const counted = answer.data.total;
  return {
    data,
    page,
    total: { value: Math.min(counted, countedExactly), exact: counted <= countedExactly },
    asOf: answer.asOf,
  };
}

/** One entry whole, by the id of its event. */
export async function readAuditEntry(readModel: ReadModel, tenant: string, eventId: string, demand: Demand) {
  const answer = await readModel.read({
    projection: 'audit',
    tenant,
    demand,
    shape: auditEntry.nullable(),
    select: (table) => sql.fragment`(
      select ${entryJson(true)} from ${table('audit_entries')} e ${origins} where e.tenant = ${tenant} and e.event_id = ${eventId})`,
  });
  return answer.data && { ...answer.data, asOf: answer.asOf };
}

/** Entries come with their items, up to 1,000 each. */
const exportPage = 100;

/** All that match up to the position that the first page is as of, first to last. Pages by position: nothing holds a snapshot for long. */
export async function* streamAudit(
  readModel: ReadModel,
  tenant: string,
  filter: AuditFilter,
  demand: Demand,
): AsyncGenerator<AuditEntry> {
  let after = '';
  let upTo: string | null = null;
  for (;;) {
    const bound: FragmentSqlToken = upTo === null ? sql.fragment`` : sql.fragment`and e.position <= ${upTo}`;
    const from = after;
    const answer = await readModel.read({
      projection: 'audit',
      tenant,
      demand,
      shape: z.array(auditEntry),
      select: (table) => sql.fragment`(
        select coalesce(json_agg(${entryJson(true)} order by e.position), '[]')
        from (select * from ${table('audit_entries')} e where ${conditionOf(tenant, filter)} and e.position > ${from} ${bound}
              order by e.position limit ${exportPage}) e ${origins})`,
    });
    upTo ??= answer.asOf.position;
    yield* answer.data;
    const last = answer.data.at(-1);
    if (!last || answer.data.length < exportPage) return;
    after = last.position;
  }
}
