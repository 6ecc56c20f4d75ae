/**
 * From what a caller chose to versions of activities. Ids are looked up in the log, so an activity that was recorded
 * a moment ago can be selected; a filter is answered by the catalog, in one snapshot, as of a position that is told.
 */
import { sql } from 'slonik';
import { z } from 'zod';
import { type ChosenActivities, mostActivities } from '#command-service/selection/commands.ts';
import { type FilledFrom, givenByIds } from '#command-service/selection/decider.ts';
import { filterCondition } from '#shared/activity-filter/filter-sql.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import type { ActivitySnapshot } from '#shared/events/activity.ts';
import { type SelectionItem, selectionItem } from '#shared/events/selection.ts';
import { streamName } from '#shared/events/stream-name.ts';
import { type Refusal, refuse } from '#shared/http/problem.ts';
import type { Demand, ReadModel } from '#shared/read-model/read-model.ts';

export interface ResolvedActivities {
  readonly outcome: 'resolved';
  readonly items: readonly SelectionItem[];
  readonly from: FilledFrom;
}

export interface ResolveParts {
  readonly log: EventLog;
  readonly readModel: ReadModel;
}

const readTogether = 500;

export async function resolveActivities(
  parts: ResolveParts,
  tenant: string,
  chosen: ChosenActivities,
  demand: Demand,
): Promise<ResolvedActivities | Refusal> {
  return chosen.ids
    ? resolveIds(parts.log, tenant, chosen.ids)
    : resolveFilter(parts.readModel, tenant, chosen, demand);
}

const contentHashOf = (event: RecordedEvent): string => (event.data as ActivitySnapshot).contentHash;

async function resolveIds(
  log: EventLog,
  tenant: string,
  ids: NonNullable<ChosenActivities['ids']>,
): Promise<ResolvedActivities | Refusal> {
  const wanted = new Map(
    ids.map((entry) => (typeof entry === 'string' ? [entry, undefined] : [entry.id, entry.revision])),
  );
  const items: SelectionItem[] = [];
  const unknown: { field: string; message: string }[] = [];
  const all = [...wanted.keys()];
  for (let start = 0; start < all.length; start += readTogether) {
    const some = all.slice(start, start + readTogether);
    const last = await log.readLast(tenant, some.map(streamName.activity));
    for (const id of some) {
      const event = last.get(streamName.activity(id));
      const revision = wanted.get(id);
      if (!event) unknown.push({ field: id, message: 'there is no such activity' });
      else if (event.type === 'ActivityDeleted') unknown.push({ field: id, message: 'it is deleted' });
      else if (revision !== undefined && revision > event.revision)
        unknown.push({ field: id, message: `it has no revision ${revision}, the newest is ${event.revision}` });
      else {
        const version =
          revision === undefined || revision === event.revision ? event : await readVersion(log, tenant, id, revision);
        if (version.type === 'ActivityDeleted')
          unknown.push({ field: id, message: `revision ${version.revision} is its deletion` });
        else items.push({ activityId: id, revision: version.revision, contentHash: contentHashOf(version) });
      }
    }
  }
  if (unknown.length > 0)
    return refuse(
      'unknown-activities',
      `${unknown.length} of ${wanted.size} cannot be selected; nothing was recorded. Leave them out and send it again.`,
      { errors: unknown },
    );
  return { outcome: 'resolved', items, from: givenByIds };
}

async function readVersion(log: EventLog, tenant: string, id: string, revision: number): Promise<RecordedEvent> {
  for await (const event of log.readStream(tenant, streamName.activity(id), revision)) return event;
  throw new Error(`activity ${id} has lost revision ${revision}`);
}

/** `among`: only these, and also such as were deleted since; all that are alive where absent. */
export async function resolveFilter(
  readModel: ReadModel,
  tenant: string,
  chosen: ChosenActivities,
  demand: Demand,
  among?: readonly string[],
): Promise<ResolvedActivities | Refusal> {
  const filter = chosen.filter ?? {};
  const exclude = chosen.exclude ?? [];
  const answer = await readModel.read({
    projection: 'catalog',
    tenant,
    demand,
    shape: z.array(selectionItem),
    select: (table) => sql.fragment`(
      select coalesce(json_agg(json_build_object('activityId', m.id, 'revision', m.revision, 'contentHash', m.content_hash)), '[]')
      from (
        select a.id, a.revision, a.content_hash from ${table('activities')} a
        where ${filterCondition(table, tenant, filter, { deletedToo: among !== undefined })}
          and a.id <> all(${sql.array(exclude, 'uuid')})
          ${among ? sql.fragment`and a.id = any(${sql.array([...among], 'uuid')})` : sql.fragment``}
        order by a.id limit ${mostActivities + 1}
      ) m)`,
  });
  const count = answer.data.length;
  if (count > mostActivities)
    return refuse(
      'too-many-matches',
      `The filter matches more than ${mostActivities} activities. Narrow it, for example by a date range.`,
    );
  if (chosen.expectedCount !== undefined && chosen.expectedCount !== count)
    return refuse('count-differs', `It matches ${count} now, not ${chosen.expectedCount}. Look at the preview again.`);
  return { outcome: 'resolved', items: answer.data, from: { filter, filterPosition: answer.asOf.position } };
}
