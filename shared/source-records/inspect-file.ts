/**
 * What an import of a file would do, for --dry-run: it reads the whole file as the import would and records nothing.
 * Kinds and statuses are shown as they are in the file; nothing else of its content is.
 */
import type { ActivityKind } from '#shared/events/activity.ts';
import type { ColumnPlan } from './column-plan.ts';
import { activityColumns, columnKey, eventColumns, isIgnoredColumn, taskColumns } from './columns.ts';
import type { Row } from './csv-rows.ts';
import { type CsvTable, openCsv } from './csv-table.ts';
import { derive, kindNamed } from './derive.ts';
import { type DetectedObject, detectObject } from './detect-object.ts';
import type { Mapping } from './mapping.ts';
import { ndjsonLines } from './ndjson-lines.ts';
import { ndjsonRecord } from './ndjson-record.ts';
import { rejectedRecord } from './rejected-record.ts';
import { rowReader } from './row-reader.ts';
import { isActivityObject } from './salesforce-object.ts';
import type { ActivityRecord, SourceRecord } from './source-record.ts';
import { wholeFacts } from './whole-facts.ts';

export interface InspectOptions {
  readonly format: 'csv' | 'ndjson';
  readonly object?: string | undefined;
  readonly mapping: Mapping;
  readonly fileName?: string | undefined;
}

export interface Inspection {
  /** For NDJSON, whose lines name their own object, always `{outcome: 'object', object: 'NDJSON'}`. */
  readonly detected: DetectedObject;
  /** Which column fills which field. */
  readonly mapped: readonly { readonly field: string; readonly column: string }[];
  /** Columns kept as extra fields of an activity. */
  readonly extra: readonly string[];
  /** Columns that are not read. */
  readonly unmapped: readonly string[];
  /** Fields that no column fills. */
  readonly missing: readonly string[];
  readonly counts: {
    readonly activities: number;
    readonly relatedRecords: number;
    readonly rejected: number;
    readonly deleted: number;
  };
  /** The first 20. */
  readonly rejects: readonly { readonly line: number; readonly sourceId: string | null; readonly reason: string }[];
  readonly kinds: Readonly<Partial<Record<ActivityKind, number>>>;
  /** At most 50, by count; '' is no status. */
  readonly statuses: readonly { readonly status: string; readonly count: number }[];
  readonly hints: readonly string[];
}

const MAX_REJECTS = 20;
const MAX_STATUSES = 50;
/** A column with more values than this is no list of kinds. */
const MAX_KIND_VALUES = 20;

/** Counts as records go by; memory does not grow with the file. */
function tally() {
  const counts = { activities: 0, relatedRecords: 0, rejected: 0, deleted: 0 };
  const rejects: { line: number; sourceId: string | null; reason: string }[] = [];
  const kinds: Partial<Record<ActivityKind, number>> = {};
  const statuses = new Map<string, number>();
  const values = new Map<string, Set<string>>();
  let closedFromStatus = 0;

  const addActivity = (record: ActivityRecord): void => {
    counts.activities++;
    const derived = derive({
      facts: wholeFacts(record),
      subject: record.subject ?? null,
      kind: record.kind,
      outcome: record.outcome,
    });
    kinds[derived.kind] = (kinds[derived.kind] ?? 0) + 1;
    if (derived.isClosedFrom === 'Status') closedFromStatus++;
    const status = record.facts.status ?? '';
    if (statuses.has(status) || statuses.size < 1000) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    for (const [name, value] of Object.entries(record.extra)) {
      const seen = values.get(name) ?? new Set<string>();
      values.set(name, seen);
      if (value !== null && seen.size <= MAX_KIND_VALUES) seen.add(value);
    }
  };
  const add = (record: SourceRecord): void => {
    if (record.noun === 'rejected') {
      counts.rejected++;
      if (rejects.length < MAX_REJECTS)
        rejects.push({ line: record.line, sourceId: record.sourceId, reason: record.reason });
      return;
    }
    if (record.deleted) counts.deleted++;
    if (record.noun === 'activity') addActivity(record);
    else counts.relatedRecords++;
  };
  const hints = (): string[] => {
    const found: string[] = [];
    for (const [name, seen] of values) {
      const kindsNamed = new Set([...seen].map(kindNamed).filter((kind) => kind !== null));
      if (seen.size <= MAX_KIND_VALUES && kindsNamed.size >= 2)
        found.push(
          `The column ${name} has ${seen.size} values, of which some are kinds (${[...kindsNamed].join(', ')}): try --map kind=${name}`,
        );
    }
    if (closedFromStatus > 0)
      found.push(
        `Of ${closedFromStatus} activities the file does not say whether they are closed (IsClosed): it is derived from the status`,
      );
    return found;
  };
  const result = () => ({
    counts,
    rejects,
    kinds,
    statuses: [...statuses]
      .map(([status, count]) => ({ status, count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, MAX_STATUSES),
    hints: hints(),
  });
  return { add, result };
}

const nothing = { mapped: [], extra: [], unmapped: [], missing: [] } as const;

function describeColumns(object: string, header: readonly string[], plan: ColumnPlan) {
  const wanted = object === 'Task' ? Object.keys(taskColumns) : object === 'Event' ? Object.keys(eventColumns) : [];
  const nameOf = (at: number): string => header[at] ?? '';
  const others = plan.others.map(nameOf);
  return {
    mapped: [
      ...[...plan.fields].map(([field, at]) => ({ field, column: nameOf(at) })),
      ...[...plan.names].flatMap(([role, columns]) =>
        columns.map((at) => ({ field: `names.${role}`, column: nameOf(at) })),
      ),
    ],
    extra: isActivityObject(object) ? others.filter((name) => !isIgnoredColumn(name)) : [],
    unmapped: isActivityObject(object) ? others.filter(isIgnoredColumn) : others,
    missing: wanted.filter((field) => !plan.fields.has(field)),
  };
}

/** Ids of the first rows, to tell the object by. */
function idsOf(header: readonly string[], rows: readonly Row[], mapping: Mapping): string[] {
  const names = [mapping.id ?? '', ...activityColumns.id].map(columnKey).filter((key) => key !== '');
  const keyed = header.map(columnKey);
  const at = names.map((key) => keyed.indexOf(key)).find((i) => i >= 0) ?? keyed.findIndex((key) => key.endsWith('id'));
  return rows.slice(0, 50).flatMap((row) => row.fields?.[at] ?? []);
}

/** Reads no more than the first block of a CSV file (64 KiB) and says which object it holds. */
export async function peekObject(
  body: AsyncIterable<Uint8Array>,
  options: Pick<InspectOptions, 'object' | 'mapping' | 'fileName'>,
): Promise<DetectedObject> {
  const table = await openCsv(body);
  const first = await table.rows.next();
  await table.rows.return();
  return detect(table, first.value ?? [], options);
}

const detect = (
  table: CsvTable,
  first: readonly Row[],
  { object, mapping, fileName }: Pick<InspectOptions, 'object' | 'mapping' | 'fileName'>,
): DetectedObject =>
  detectObject({ header: table.header, firstIds: idsOf(table.header, first, mapping), given: object, fileName });

/** Throws UnreadableFile as readRecords does. For an object that is skipped or not clear the rest of the file is not read. */
export async function inspectFile(body: AsyncIterable<Uint8Array>, options: InspectOptions): Promise<Inspection> {
  const seen = tally();
  if (options.format === 'ndjson') {
    for await (const lines of ndjsonLines(body))
      for (const { line, text, problem } of lines)
        seen.add(text === null ? rejectedRecord(line, null, problem) : ndjsonRecord(text, line));
    return { detected: { outcome: 'object', object: 'NDJSON' }, ...nothing, ...seen.result() };
  }
  const table = await openCsv(body);
  const first = await table.rows.next();
  const detected = detect(table, first.value ?? [], options);
  if (detected.outcome !== 'object') {
    await table.rows.return();
    return { detected, ...nothing, ...seen.result() };
  }
  const { plan, read } = rowReader(detected.object, table.header, options.mapping);
  const addAll = (rows: readonly Row[]): void => {
    for (const { line, fields, problem } of rows)
      seen.add(fields === null ? rejectedRecord(line, null, problem) : read(fields, line));
  };
  addAll(first.value ?? []);
  for await (const rows of table.rows) addAll(rows);
  return { detected, ...describeColumns(detected.object, table.header, plan), ...seen.result() };
}
