/** The rows of all read-model tables of the live generations, in the order of their keys, as plain values. */
import type { Pool } from 'pg';

export type PlainRow = Readonly<Record<string, unknown>>;

/** `projection.table` to its rows. */
export type ReadModelRows = ReadonlyMap<string, readonly PlainRow[]>;

interface Column {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly generated: boolean;
  readonly keyPlace: number | null;
}

/** Numbers as numbers, times as UTC with milliseconds, JSON parsed: two ways to write the same value are the same. */
function plainValue(type: string, text: string | null): unknown {
  if (text === null) return null;
  if (type === 'bigint' || type === 'integer') return Number(text);
  if (type === 'boolean') return text === 'true';
  if (type === 'timestamp with time zone') return new Date(text).toISOString();
  return type === 'json' || type === 'jsonb' ? JSON.parse(text) : text;
}

export async function readModelRows(pool: Pool): Promise<ReadModelRows> {
  const client = await pool.connect();
  try {
    await client.query("begin isolation level repeatable read; set local timezone to 'UTC'");
    const columns = await client.query<Column>(
      `select c.table_schema as schema, c.table_name as table, c.column_name as name, c.data_type as type,
              c.is_generated = 'ALWAYS' as generated,
              array_position(i.indkey::int2[], a.attnum) as "keyPlace"
       from projector.projections p
         join information_schema.columns c on c.table_schema = p.name || '_g' || p.live_generation
         join pg_attribute a on a.attrelid = format('%I.%I', c.table_schema, c.table_name)::regclass and a.attname = c.column_name
         join pg_index i on i.indrelid = a.attrelid and i.indisprimary
       order by c.table_schema, c.table_name, c.ordinal_position`,
    );
    const rows = new Map<string, readonly PlainRow[]>();
    for (const [table, ofTable] of Map.groupBy(columns.rows, (column) => `${column.schema}.${column.table}`)) {
      const shown = ofTable.filter(({ generated }) => !generated);
      const key = shown
        .filter(({ keyPlace }) => keyPlace !== null)
        .sort((a, b) => (a.keyPlace ?? 0) - (b.keyPlace ?? 0))
        .map(({ name, type }) => (type === 'text' ? `${name} collate "C"` : name));
      const answer = await client.query<Record<string, string | null>>(
        `select ${shown.map(({ name }) => `${name}::text as ${name}`).join(', ')}
         from (select * from ${table} order by ${key.join(', ')}) t`,
      );
      rows.set(
        table.replace(/_g\d+\./, '.'),
        answer.rows.map((row) =>
          Object.fromEntries(shown.map(({ name, type }) => [name, plainValue(type, row[name] ?? null)])),
        ),
      );
    }
    return rows;
  } finally {
    await client.query('rollback');
    client.release();
  }
}
