/** Rows of tables that are not in the log: out as lines of JSON, made by the database, and in again. */
import type { ClientBase } from 'pg';
import type { BackedUpTable, Manifest, TablePart } from '#shared/backup/manifest.ts';
import { maxPartBytes, readLines, writePart } from '#shared/backup/parts.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import { isGeneration, type RowsTable, rowsTables, tableDecisions } from '#shared/backup/tables.ts';

const rowsAtOnce = 500;

interface Column {
  readonly name: string;
  /** As in a cast. */
  readonly type: string;
}

/** Names of all tables of ours, and of others in this database, with their columns. */
export async function columnsOfAll(client: ClientBase): Promise<Map<string, Column[]>> {
  const answer = await client.query<{ table: string; columns: Column[] }>(
    `select n.nspname || '.' || c.relname as table,
            json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
     from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
     group by n.nspname, c.relname`,
  );
  return new Map(answer.rows.map(({ table, columns }) => [table, columns]));
}

/** Tables in our schemas that nobody has decided about. A newer version has made them. */
export function undecided(tables: Iterable<string>): string[] {
  const ours = new Set(Object.keys(tableDecisions).map((name) => name.split('.')[0]));
  return [...tables].filter((name) => {
    const schema = name.split('.')[0] as string;
    return ours.has(schema) && !isGeneration(schema) && !Object.hasOwn(tableDecisions, name);
  });
}

/** Nobody who writes to our tables takes longer, so whoever waits behind the lock waits no longer either. */
const lockWait = '5s';

/**
 * Writes the rows of tables as they stand at one moment. `atThatMoment` is awaited while nobody can change them; it has to
 * be quick.
 */
export async function writeTables(
  client: ClientBase,
  store: BackupStore,
  tables: readonly RowsTable[],
  signal: AbortSignal,
  atThatMoment: () => Promise<void> = async () => undefined,
): Promise<BackedUpTable[]> {
  await client.query(
    `begin isolation level repeatable read read only; set local timezone to 'UTC'; set local lock_timeout to '${lockWait}'`,
  );
  try {
    await client.query('savepoint unlocked');
    await client.query(`lock table ${tables.map(({ table }) => table).join(', ')} in share mode`);
    // The moment is that of the first query after the locks, and outlives them.
    const columns = await columnsOfAll(client);
    await atThatMoment();
    await client.query('rollback to savepoint unlocked');
    const written: BackedUpTable[] = [];
    for (const { table } of tables) {
      const names = (columns.get(table) as Column[]).map(({ name }) => name);
      written.push(await writeTable(client, store, table, names, signal));
    }
    return written;
  } finally {
    await client.query('rollback').catch(() => undefined);
  }
}

async function writeTable(
  client: ClientBase,
  store: BackupStore,
  table: string,
  columns: string[],
  signal: AbortSignal,
): Promise<BackedUpTable> {
  const parts: TablePart[] = [];
  let lines: string[] = [];
  let size = 0;
  let rows = 0;
  const flush = async () => {
    if (lines.length === 0) return;
    const file = await writePart(store, `tables/${table}`, parts.length + 1, lines);
    parts.push({ ...file, rows: lines.length });
    rows += lines.length;
    lines = [];
    size = 0;
  };
  // Every value as the database writes it in text: JSON that holds \u0000 could not be read back otherwise.
  const values = columns.map((column) => `${column}::text as ${column}`);
  await client.query(
    `declare backed_up no scroll cursor for select row_to_json(r)::text as line from (select ${values.join(', ')} from ${table}) r`,
  );
  for (;;) {
    signal.throwIfAborted();
    const page = await client.query<{ line: string }>(`fetch ${rowsAtOnce} from backed_up`);
    for (const { line } of page.rows) {
      lines.push(line);
      size += Buffer.byteLength(line) + 1;
      if (size >= maxPartBytes) await flush();
    }
    if (page.rows.length < rowsAtOnce) break;
  }
  await client.query('close backed_up');
  await flush();
  return { table, columns, rows, parts };
}

/** Throws BackupRefused where a part is not as it was written. */
export async function verifyTable(
  store: BackupStore,
  { table, rows, parts }: BackedUpTable,
  signal: AbortSignal,
): Promise<void> {
  let found = 0;
  for (const part of parts) {
    signal.throwIfAborted();
    const lines = await readLines(store, part);
    if (lines.length !== part.rows)
      throw new BackupRefused(`${part.name}: ${lines.length} rows, where ${part.rows} belong.`);
    found += lines.length;
  }
  if (found !== rows) throw new BackupRefused(`The parts of ${table} hold ${found} rows, where ${rows} belong.`);
}

/** Throws BackupRefused where this database cannot take the rows: a newer version has backed them up. */
export async function checkTables(client: ClientBase, { tables, version }: Manifest): Promise<void> {
  const there = await columnsOfAll(client);
  for (const { table, columns } of tables) {
    const known = rowsTables.some((each) => each.table === table)
      ? (there.get(table) ?? []).map(({ name }) => name)
      : [];
    const missing = columns.filter((column) => !known.includes(column));
    if (missing.length > 0)
      throw new BackupRefused(
        `The backup has ${table} (${missing.join(', ')}), which this version of Cool Mint does not know. It was made by version ${version}: restore with that one.`,
      );
  }
}

export async function anyRows(client: ClientBase): Promise<boolean> {
  const answer = await client.query<{ any: boolean }>(
    `select ${rowsTables.map(({ table }) => `exists (select from ${table})`).join(' or ')} as any`,
  );
  return answer.rows[0]?.any === true;
}

/**
 * Puts rows into tables that are empty; the caller's transaction. `cut`: where the log ends, only rows up to there; its
 * time is null where it has no event, and then there are no rows either. Null: the log is whole. Answers how many.
 */
export async function restoreTables(
  client: ClientBase,
  store: BackupStore,
  tables: readonly BackedUpTable[],
  cut: { readonly time: string | null } | null,
  signal: AbortSignal,
): Promise<number> {
  if (cut?.time === null) return 0;
  const until = cut?.time ?? null;
  const types = await columnsOfAll(client);
  let rows = 0;
  for (const { table, time } of rowsTables) {
    const backedUp = tables.find((each) => each.table === table);
    if (backedUp === undefined || (until !== null && time === null)) continue;
    const columns = (types.get(table) ?? []).filter(({ name }) => backedUp.columns.includes(name));
    const names = columns.map(({ name }) => name).join(', ');
    for (const part of backedUp.parts) {
      const lines = await readLines(store, part);
      for (let at = 0; at < lines.length; at += rowsAtOnce) {
        signal.throwIfAborted();
        const page = `[${lines.slice(at, at + rowsAtOnce).join(',')}]`;
        const answer = await client.query(
          `insert into ${table} (${names})
           select ${columns.map(({ name, type }) => `${name}::${type}`).join(', ')}
           from json_to_recordset($1::json) as r (${columns.map(({ name }) => `${name} text`).join(', ')})
           ${until === null ? '' : `where ${time}::timestamptz <= $2::timestamptz`}`,
          until === null ? [page] : [page, until],
        );
        rows += answer.rowCount ?? 0;
      }
    }
  }
  return rows;
}
