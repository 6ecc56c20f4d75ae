/** Reading the cells of one row by field: what cannot be read rejects the record, with a reason that names the column. */
import type { ColumnPlan } from './column-plan.ts';
import { salesforceId, whyNoSalesforceId } from './salesforce-id.ts';

/** The longest text that Salesforce stores in a field (a long text area). */
const MAX_TEXT = 131_072;

/** Thrown within a row reader and turned into a rejected record there; it leaves this folder never. */
export class RejectedCell extends Error {
  override readonly name = 'RejectedCell';
}

type Fields = readonly string[];
type CellReader<T> = (fields: Fields) => T | null | undefined;

export interface CellReaders {
  readonly has: (field: string) => boolean;
  readonly text: (field: string) => CellReader<string>;
  readonly id: (field: string) => CellReader<string>;
  /** A value that `read` understands; `expected` says to people what it does. */
  readonly value: <T>(field: string, read: (text: string) => T | undefined, expected: string) => CellReader<T>;
}

export function checkedText(text: string, column: string): string {
  if (text.length > MAX_TEXT)
    throw new RejectedCell(
      `column ${column}: the text has ${text.length} characters, more than the ${MAX_TEXT} that Salesforce stores`,
    );
  return text;
}

/** Readers answer undefined where the column is absent and null where the cell is empty. */
export function cellReaders(header: readonly string[], plan: ColumnPlan): CellReaders {
  const reader = <T>(field: string, read: (text: string, column: string) => T): CellReader<T> => {
    const at = plan.fields.get(field);
    if (at === undefined) return () => undefined;
    const column = header[at] as string;
    return (fields) => {
      const cell = fields[at] as string;
      return cell === '' ? null : read(cell, column);
    };
  };
  return {
    has: (field) => plan.fields.has(field),
    text: (field) => reader(field, checkedText),
    id: (field) =>
      reader(field, (text, column) => {
        const id = salesforceId(text);
        if (id === null) throw new RejectedCell(`column ${column}: the id ${whyNoSalesforceId(text)}`);
        return id;
      }),
    value: (field, read, expected) =>
      reader(field, (text, column) => {
        const value = read(text.trim());
        if (value === undefined) throw new RejectedCell(`column ${column}: expected ${expected}`);
        return value;
      }),
  };
}
