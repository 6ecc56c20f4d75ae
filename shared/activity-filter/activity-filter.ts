/**
 * The filter of activities: one definition for query parameters, command bodies, SQL, OpenAPI and what is stored in
 * events. Values of one field mean or, different fields mean and. Null is a value: the source says there is none.
 */
import { z } from 'zod';
import { activityKind, callDirection } from '#shared/events/activity.ts';
import { uuid } from '#shared/http/uuid.ts';

const values = (value: z.ZodType) => z.array(value.nullable()).min(1).max(100);
const text = z.string().min(1).max(255);

const range = <T extends z.ZodType>(value: T) =>
  z
    .strictObject({
      gte: value.optional(),
      gt: value.optional(),
      lte: value.optional(),
      lt: value.optional(),
      null: z.boolean().optional(),
    })
    .refine((bounds) => Object.values(bounds).some((bound) => bound !== undefined), {
      error: 'give at least one bound',
    });

/** An instant with its offset; the stored form is UTC. */
const instant = z.iso.datetime({ offset: true }).transform((value) => new Date(value).toISOString());

export const activityFilter = z.strictObject({
  kind: values(activityKind).optional(),
  status: values(text).optional(),
  closed: z.boolean().optional().describe('closed or open, as the source says or as derived from the status'),
  priority: values(text).optional(),
  owner: values(text).optional().describe("the owner's id in the source"),
  account: values(text).optional().describe('id in the source; rolled up through opportunity, case and contact'),
  contact: values(text).optional().describe('id of a contact or lead in the source'),
  direction: values(callDirection).optional(),
  outcome: values(text).optional(),
  occurredAt: range(instant).optional(),
  dueOn: range(z.iso.date()).optional().describe('a plain date, without a zone'),
  selected: z.boolean().optional().describe('whether a selection that is not discarded holds it'),
  selection: uuid.optional().describe('held by this selection'),
  text: z.string().trim().min(1).max(500).optional().describe('words in subject and body; "a phrase", -without'),
});

export type ActivityFilter = z.infer<typeof activityFilter>;

const listFields = ['kind', 'status', 'priority', 'owner', 'account', 'contact', 'direction', 'outcome'] as const;
const flagFields = ['closed', 'selected'] as const;
const rangeFields = ['occurredAt', 'dueOn'] as const;
const bounds = ['gte', 'gt', 'lte', 'lt'] as const;

const oneOrMany = z.union([z.string(), z.array(z.string())]).optional();
const flag = z.enum(['true', 'false']).optional();

/** The filter as query parameters: repeated means or; `field[null]=true` asks for those without a value. */
export const activityFilterParameters = {
  ...(Object.fromEntries(
    listFields.flatMap((field) => [
      [field, oneOrMany],
      [`${field}[null]`, flag],
    ]),
  ) as Record<(typeof listFields)[number], typeof oneOrMany>),
  ...(Object.fromEntries(flagFields.map((field) => [field, flag])) as Record<(typeof flagFields)[number], typeof flag>),
  ...(Object.fromEntries(
    rangeFields.flatMap((field) => [
      ...bounds.map((bound) => [`${field}[${bound}]`, z.string().optional()]),
      [`${field}[null]`, flag],
    ]),
  ) as Record<string, z.ZodOptional<z.ZodString>>),
  selection: z.string().optional(),
  text: z.string().optional().describe('words in subject and body; "a phrase", -without'),
};

/** Query parameters (already known to be ours) as a filter; answers what is wrong field by field. */
export function parseFilterParameters(
  query: Readonly<Record<string, unknown>>,
): ReturnType<typeof activityFilter.safeParse> {
  const filter: Record<string, unknown> = {};
  for (const field of listFields) {
    const given = query[field];
    const list: (string | null)[] = given === undefined ? [] : Array.isArray(given) ? [...given] : [given as string];
    if (query[`${field}[null]`] === 'true') list.push(null);
    if (list.length > 0) filter[field] = list;
  }
  for (const field of flagFields) if (query[field] !== undefined) filter[field] = query[field] === 'true';
  for (const field of rangeFields) {
    const range: Record<string, unknown> = {};
    for (const bound of bounds) {
      const value = query[`${field}[${bound}]`];
      if (value !== undefined) range[bound] = value;
    }
    const absent = query[`${field}[null]`];
    if (absent !== undefined) range['null'] = absent === 'true';
    if (Object.keys(range).length > 0) filter[field] = range;
  }
  for (const field of ['selection', 'text'] as const) if (query[field] !== undefined) filter[field] = query[field];
  return activityFilter.safeParse(filter);
}
