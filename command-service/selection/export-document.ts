/**
 * The content of a selection as a document: the versions that were selected, whole, ordered by activity id, so that
 * the same selection always gives the same bytes. Names are not part of it: they are not part of a version.
 */
import { sql } from 'slonik';
import { z } from 'zod';
import { activitySnapshot } from '#shared/events/activity.ts';
import type { ExportFormat, SelectionItem } from '#shared/events/selection.ts';
import { csvLine } from '#shared/http/csv.ts';
import { uuid } from '#shared/http/uuid.ts';
import type { ReadModel } from '#shared/read-model/read-model.ts';
import { noDemand } from '#shared/read-model/read-model.ts';

const pageSize = 200;

const version = z.object({ id: uuid, revision: z.int(), snapshot: activitySnapshot });
export type ActivityVersion = z.infer<typeof version>;

export const exportMediaTypes: Readonly<Record<ExportFormat, string>> = {
  markdown: 'text/markdown; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
};

async function* versions(
  readModel: ReadModel,
  tenant: string,
  items: readonly SelectionItem[],
): AsyncGenerator<ActivityVersion> {
  for (let start = 0; start < items.length; start += pageSize) {
    const page = items.slice(start, start + pageSize);
    const { data } = await readModel.read({
      projection: 'catalog',
      tenant,
      demand: noDemand,
      shape: z.array(version),
      select: (table) => sql.fragment`(
        select coalesce(json_agg(json_build_object('id', v.id, 'revision', v.revision, 'snapshot', v.snapshot) order by v.id), '[]')
        from ${table('activity_versions')} v
          join unnest(${sql.array(
            page.map((item) => item.activityId),
            'uuid',
          )}, ${sql.array(
            page.map((item) => item.revision),
            'int8',
          )})
            as w (id, revision) on v.id = w.id and v.revision = w.revision
        where v.tenant = ${tenant})`,
    });
    if (data.length !== page.length)
      throw new Error(`the catalog lacks ${page.length - data.length} selected versions`);
    yield* data;
  }
}

const csvColumns: readonly (readonly [string, (version: ActivityVersion) => string | number | boolean | null])[] = [
  ['id', ({ id }) => id],
  ['revision', ({ revision }) => revision],
  ['kind', ({ snapshot }) => snapshot.derived.kind],
  ['occurredAt', ({ snapshot }) => snapshot.derived.occurredAt],
  ['dueOn', ({ snapshot }) => snapshot.dueOn],
  ['status', ({ snapshot }) => snapshot.status],
  ['closed', ({ snapshot }) => snapshot.derived.isClosed],
  ['direction', ({ snapshot }) => snapshot.derived.direction],
  ['outcome', ({ snapshot }) => snapshot.derived.outcome],
  ['durationSeconds', ({ snapshot }) => snapshot.durationSeconds],
  ['ownerId', ({ snapshot }) => snapshot.ownerId],
  ['accountId', ({ snapshot }) => snapshot.accountId],
  ['whoId', ({ snapshot }) => snapshot.whoId],
  ['whatId', ({ snapshot }) => snapshot.whatId],
  ['source', ({ snapshot }) => snapshot.source],
  ['sourceId', ({ snapshot }) => snapshot.sourceId],
  ['subject', ({ snapshot }) => snapshot.personal.subject],
  ['body', ({ snapshot }) => snapshot.personal.body],
  ['contentHash', ({ snapshot }) => snapshot.contentHash],
];

/** Text of a record must not become structure of the document that holds it. */
const quoted = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => `> ${line}`)
    .join('\n');
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').replace(/([\\`*_[\]<>#|])/g, '\\$1');

function markdownOf({ id, revision, snapshot }: ActivityVersion): string {
  const { derived, personal } = snapshot;
  const facts = [
    ['Kind', derived.kind],
    ['When', derived.occurredAt],
    ['Due', snapshot.dueOn],
    ['Status', snapshot.status],
    ['Direction', derived.direction],
    ['Outcome', derived.outcome],
    ['Duration', snapshot.durationSeconds === null ? null : `${snapshot.durationSeconds} s`],
    ['Record', `${id}, revision ${revision}`],
  ] as const;
  const lines = facts.flatMap(([name, value]) => (value === null ? [] : [`- ${name}: ${oneLine(value)}`]));
  return `## ${oneLine(personal.subject ?? '(no subject)')}\n\n${lines.join('\n')}\n${personal.body === null ? '' : `\n${quoted(personal.body)}\n`}\n`;
}

/** The document in pieces of text. The catalog must have reached the selection. */
export async function* exportDocument(
  readModel: ReadModel,
  tenant: string,
  selection: { readonly id: string; readonly name: string; readonly items: readonly SelectionItem[] },
  format: ExportFormat,
): AsyncGenerator<string> {
  const items = [...selection.items].sort((a, b) => (a.activityId < b.activityId ? -1 : 1));
  if (format === 'csv') yield csvLine(csvColumns.map(([name]) => name));
  if (format === 'markdown')
    yield `# ${oneLine(selection.name)}\n\nSelection ${selection.id}, ${items.length} activities.\n\n`;
  for await (const one of versions(readModel, tenant, items)) {
    if (format === 'csv') yield csvLine(csvColumns.map(([, read]) => read(one)));
    else if (format === 'markdown') yield markdownOf(one);
    else {
      const { personal, ...facts } = one.snapshot;
      const { salt, ...shown } = personal;
      yield `${JSON.stringify({ id: one.id, revision: one.revision, ...facts, ...shown })}\n`;
    }
  }
}
