/** Pages of a list, by key and never by offset: a cursor holds the order and the key of the row it stands at. */
import { z } from 'zod';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { asOf } from '#shared/read-model/read-model.ts';

export const pageParameters = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1_000).optional().describe('from page.next or page.previous of an answer'),
};

export const pageLinks = z.object({ next: z.string().nullable(), previous: z.string().nullable() });
export const total = z.object({ value: z.int(), exact: z.boolean().describe('false: there are more than the value') });

/** The shape of every list. */
export const listOf = <T extends z.ZodType>(item: T) => z.object({ data: z.array(item), page: pageLinks, total, asOf });

const cursorContent = z.object({
  order: z.string(),
  key: z.array(z.union([z.string(), z.number(), z.null()])),
  back: z.boolean(),
});
export type Cursor = z.infer<typeof cursorContent>;

const encode = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url');

/** Null where none was given; refused where it is not one of ours, or of another order. */
export function parseCursor(text: string | undefined, order: string): Cursor | null {
  if (text === undefined) return null;
  try {
    const cursor = cursorContent.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    if (cursor.order === order) return cursor;
  } catch {
    // answered below
  }
  throw new ProblemError(
    refuse('malformed-request', 'The cursor is not one of this list in this order. Begin again without it.'),
  );
}

/**
 * From one row more than the limit, read in the direction of the cursor: the page in list order, and its links.
 * `keyOf` is the key of the order.
 */
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  order: string,
  cursor: Cursor | null,
  keyOf: (row: T) => Cursor['key'],
): { readonly data: T[]; readonly page: z.infer<typeof pageLinks> } {
  const back = cursor?.back ?? false;
  const more = rows.length > limit;
  const data = rows.slice(0, limit);
  if (back) data.reverse();
  const first = data[0];
  const last = data.at(-1);
  const link = (row: T | undefined, wanted: boolean, backwards: boolean) =>
    row !== undefined && wanted ? encode({ order, key: keyOf(row), back: backwards }) : null;
  return {
    data,
    page: { next: link(last, back || more, false), previous: link(first, back ? more : cursor !== null, true) },
  };
}
