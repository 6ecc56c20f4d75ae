/** What a read-model table is: enough for the runner to create, load and write it without knowing its noun. */

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

/** SQL type by column; `generated` columns are computed by Postgres and never written. */
export interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly generated?: Readonly<Record<string, string>>;
  readonly key: readonly string[];
  /** What stands behind `create index on <table>`. */
  readonly indexes: readonly string[];
  /** Rows are made once and never changed, so the runner need not load them before it writes. */
  readonly appendOnly?: true;
}

export type ColumnType = 'text' | 'uuid' | 'int' | 'bigint' | 'boolean' | 'timestamptz' | 'date' | 'json';

/** One row that an event touches, and what becomes of it. `row` is undefined where there is none yet. */
export interface Change {
  readonly table: Table;
  readonly key: Row;
  fold(row: Row | undefined): Row;
}

/** Text as Postgres can hold it: without NUL (shown as U+FFFD) and without lone surrogates. The event keeps the original. */
export function textCell(text: string): string;
export function textCell(text: string | null): string | null;
export function textCell(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\u0000', '\ufffd');
}
