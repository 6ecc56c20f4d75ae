/** What every row has: an id that belongs to the object, a stamp, and whether it was deleted. */
import { type CellReaders, RejectedCell } from './cell-reader.ts';
import { objectOfId } from './salesforce-object.ts';
import { boolean, instant } from './source-values.ts';

export const INSTANT = 'a time such as 2026-01-31T09:30:00.000Z, or milliseconds since 1970';
export const DATE = 'a date that exists, as YYYY-MM-DD';
export const BOOLEAN = 'true, 1, yes, false, 0 or no';

type Fields = readonly string[];

export interface Identity {
  readonly sourceId: (fields: Fields) => string;
  readonly sourceModifiedAt: (fields: Fields) => string | null;
  readonly deleted: (fields: Fields) => boolean;
}

export function identityReader(object: string, cells: CellReaders): Identity {
  const id = cells.id('id');
  const modified = cells.value('sourceModifiedAt', instant, INSTANT);
  const deleted = cells.value('deleted', boolean, BOOLEAN);
  return {
    sourceId: (fields) => {
      const value = id(fields);
      if (!value) throw new RejectedCell('the id is missing');
      const other = objectOfId(value);
      if (other !== null && other !== object)
        throw new RejectedCell(`the id ${value} is of the object ${other}, not ${object}`);
      return value;
    },
    sourceModifiedAt: (fields) => modified(fields) ?? null,
    deleted: (fields) => deleted(fields) ?? false,
  };
}
