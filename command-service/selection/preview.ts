import { sql } from 'slonik';
import type { z } from 'zod';
import { type ChosenActivities, previewAnswer } from '#command-service/selection/commands.ts';
import { filterCondition } from '#shared/activity-filter/filter-sql.ts';
import type { Demand, ReadModel } from '#shared/read-model/read-model.ts';

/** What a selection from these would hold; records nothing. Ids that are unknown or deleted are not counted. */
export async function previewSelection(
  readModel: ReadModel,
  tenant: string,
  chosen: ChosenActivities,
  demand: Demand,
): Promise<z.infer<typeof previewAnswer>> {
  const ids = chosen.ids?.map((entry) => (typeof entry === 'string' ? entry : entry.id));
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: previewAnswer.omit({ asOf: true }),
    select: (table) => sql.fragment`(
      with matched as (
        select a.kind, a.source, a.owner_id, a.occurred_at from ${table('activities')} a
        where ${filterCondition(table, tenant, chosen.filter ?? {})}
          and a.id <> all(${sql.array(chosen.exclude ?? [], 'uuid')})
          ${ids ? sql.fragment`and a.id = any(${sql.array(ids, 'uuid')})` : sql.fragment``}
      )
      select json_build_object(
        'count', (select count(*) from matched),
        'kinds', (select coalesce(json_agg(k order by k.count desc, k.kind), '[]') from (select kind, count(*) from matched group by kind) k),
        'owners', (select coalesce(json_agg(json_build_object('id', o.owner_id, 'name', o.name, 'count', o.count) order by o.count desc, o.owner_id), '[]') from (
          select m.owner_id, u.name, count(*) from matched m
            left join ${table('related_records')} u on u.tenant = ${tenant} and u.source = m.source and u.source_id = m.owner_id
          group by m.owner_id, u.name order by count(*) desc, m.owner_id limit 20) o),
        'occurredAt', (select json_build_object(
          'from', to_char(min(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'to', to_char(max(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) from matched)
      ))`,
  });
  return { ...answer.data, asOf: answer.asOf };
}
