/** Finds the columns of a file that fields are read from. */
import { columnKey, type Names } from './columns.ts';
import { type Mapping, type MappingTarget, mappingTargets } from './mapping.ts';
import { salesforceId } from './salesforce-id.ts';
import { objectOfId } from './salesforce-object.ts';
import { UnreadableFile } from './unreadable-file.ts';

/** Where each field of a file stands. */
export interface ColumnPlan {
  /** Index of the column, by field. */
  readonly fields: ReadonlyMap<string, number>;
  /** Indices of the columns with a name, by role. */
  readonly names: ReadonlyMap<string, readonly number[]>;
  /** Indices of columns that nothing above takes; technical ones included. */
  readonly others: readonly number[];
}

/** Lists the columns of a file for a message; at most 60 of them. */
const listColumns = (header: readonly string[]): string =>
  header.length > 60 ? `${header.slice(0, 60).join(', ')} and ${header.length - 60} more` : header.join(', ');

/** Throws UnreadableFile where a mapped column is missing or no column holds the id. */
export function planColumns(header: readonly string[], names: Names, roles: Names, mapping: Mapping): ColumnPlan {
  const at = new Map<string, number>();
  header.forEach((name, i) => {
    if (!at.has(columnKey(name))) at.set(columnKey(name), i);
  });
  const fields = new Map<string, number>();
  const taken = new Set<number>();
  const wanted = new Set<string>([
    ...Object.keys(names),
    ...mappingTargets.filter((target) => mapping[target] !== undefined),
  ]);
  for (const field of wanted) {
    const mapped = mapping[field as MappingTarget];
    const found =
      mapped === undefined
        ? names[field]?.map((name) => at.get(columnKey(name))).find((i) => i !== undefined)
        : at.get(columnKey(mapped));
    if (mapped !== undefined && found === undefined)
      throw new UnreadableFile(
        `The mapping reads ${field} from the column ${mapped}, which the file does not have. ${columnsThereAre(header)}`,
      );
    if (found === undefined) continue;
    fields.set(field, found);
    taken.add(found);
  }
  if (!fields.has('id'))
    throw new UnreadableFile(
      `No column holds the id: expected ${names.id?.join(' or ')}, or --map id=Column. ${columnsThereAre(header)}`,
    );
  const found = new Map<string, number[]>();
  for (const [role, labels] of Object.entries(roles)) {
    const columns = labels
      .map((label) => at.get(columnKey(label)))
      .filter((i): i is number => i !== undefined && !taken.has(i));
    if (columns.length > 0) found.set(role, columns);
    for (const i of columns) taken.add(i);
  }
  return { fields, names: found, others: header.map((_, i) => i).filter((i) => !taken.has(i)) };
}

/** A file without a header has data where names should be, and data is not to be shown. */
export const looksLikeData = (header: readonly string[]): boolean =>
  header.some(
    (cell) => cell.length > 80 || /@|^\d|\n/.test(cell) || (salesforceId(cell) !== null && objectOfId(cell) !== null),
  );
export const LOOKS_LIKE_DATA = 'The first line looks like data: the first line must hold the names of the columns.';

const columnsThereAre = (header: readonly string[]): string =>
  looksLikeData(header) ? LOOKS_LIKE_DATA : `Columns there are: ${listColumns(header)}.`;
