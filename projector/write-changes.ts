/**
 * Loads the rows that changes touch, folds them in order, writes them: one select and one upsert a table. Two steps, so
 * that the statements of each go to the database at once.
 */
import type { ClientBase } from 'pg';
import type { Cell, Change, ColumnType, Row, Table } from '#projector/table.ts';

const keyText = (table: Table, row: Row): string => JSON.stringify(table.key.map((column) => row[column]));

/** Numbers and booleans come back as such; all else as text that Postgres takes again without loss. */
const selected = (name: string, type: ColumnType): string =>
  type === 'int' || type === 'boolean' ? `t.${name}` : `t.${name}::text as ${name}`;

const columnArrays = (table: Table, columns: readonly string[], from: number): string =>
  columns.map((column, index) => `$${from + index}::${table.columns[column]}[]`).join(', ');

async function loadRows(
  client: ClientBase,
  schema: string,
  table: Table,
  keys: readonly Row[],
): Promise<Map<string, Row>> {
  const columns = Object.entries(table.columns).map(([name, type]) => selected(name, type));
  const answer = await client.query<Record<string, Cell>>(
    `select ${columns.join(', ')} from ${schema}.${table.name} t
     join unnest(${columnArrays(table, table.key, 1)}) as k (${table.key.join(', ')}) using (${table.key.join(', ')})`,
    table.key.map((column) => keys.map((key) => key[column])),
  );
  return new Map(answer.rows.map((row) => [keyText(table, row), numbered(table, row)]));
}

/** Keys compare as they were written: bigint comes back as text, and is made a number again. */
function numbered(table: Table, row: Record<string, Cell>): Row {
  for (const [name, type] of Object.entries(table.columns))
    if (type === 'bigint' && typeof row[name] === 'string') row[name] = Number(row[name]);
  return row;
}

async function upsertRows(client: ClientBase, schema: string, table: Table, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(table.columns);
  const others = columns.filter((column) => !table.key.includes(column));
  await client.query(
    `insert into ${schema}.${table.name} (${columns.join(', ')})
     select * from unnest(${columnArrays(table, columns, 1)})
     on conflict (${table.key.join(', ')}) do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`,
    columns.map((column) => rows.map((row) => row[column] ?? null)),
  );
}

/** Changes of one table, by the row that they touch, and those rows as they are. */
interface Loaded {
  readonly table: Table;
  readonly byKey: ReadonlyMap<string, readonly Change[]>;
  readonly rows: ReadonlyMap<string, Row>;
}

/** In the caller's transaction; its statements are sent before it returns. */
export function loadTouched(
  client: ClientBase,
  schema: string,
  changes: readonly Change[],
): Promise<readonly Loaded[]> {
  const tables = [...Map.groupBy(changes, (change) => change.table)];
  return Promise.all(
    tables.map(async ([table, ofTable]) => {
      const byKey = Map.groupBy(ofTable, (change) => keyText(table, change.key));
      const keys = [...byKey.values()].map((ofKey) => ofKey[0]?.key as Row);
      return { table, byKey, rows: table.appendOnly ? new Map() : await loadRows(client, schema, table, keys) };
    }),
  );
}

/** In the same transaction; its statements are sent before it returns. Throws what a fold throws. */
export function writeFolded(client: ClientBase, schema: string, loaded: readonly Loaded[]): Promise<unknown> {
  const folded = loaded.map(({ table, byKey, rows }) => {
    const written: Row[] = [];
    for (const [key, ofKey] of byKey) {
      let row = rows.get(key);
      for (const change of ofKey) row = change.fold(row);
      if (row) written.push(row);
    }
    return { table, written };
  });
  return Promise.all(folded.map(({ table, written }) => upsertRows(client, schema, table, written)));
}
