/**
 * A mapping says which column of a file holds which of our fields, where the names alone do not tell:
 * `--map kind=Type__c`, or a file `{ "kind": "Type__c" }`. It is stored with the sync run, so it holds column names only.
 */
import { z } from 'zod';
import { activityFacts } from '#shared/events/activity.ts';

const { object: _, ...mappableFacts } = activityFacts.shape;

export const mappingTargets = [
  'id',
  'kind',
  'outcome',
  'subject',
  'body',
  'deleted',
  'sourceModifiedAt',
  ...(Object.keys(mappableFacts) as (keyof typeof mappableFacts)[]),
] as const;
export type MappingTarget = (typeof mappingTargets)[number];

export type Mapping = Readonly<Partial<Record<MappingTarget, string>>>;

const isTarget = (name: string): name is MappingTarget => (mappingTargets as readonly string[]).includes(name);
const column = z.string().trim().min(1).max(255);

/** Checks the shape that the API and mapping files take. */
export const mappingSchema: z.ZodType<Mapping> = z
  .partialRecord(z.enum(mappingTargets), column)
  .describe('Which column of the file holds which field, where the names alone do not tell');

export type ParsedMapping =
  | { readonly outcome: 'mapping'; readonly mapping: Mapping }
  | { readonly outcome: 'invalid'; readonly problems: readonly string[] };

const validFields = `fields are ${mappingTargets.join(', ')}`;

/** Reads the `field=Column` arguments over the content of a mapping file (already parsed JSON); arguments win. */
export function parseMapping(args: readonly string[], file: unknown = {}): ParsedMapping {
  const problems: string[] = [];
  const mapping: Partial<Record<MappingTarget, string>> = {};
  const set = (field: string, value: unknown, where: string): void => {
    const parsed = column.safeParse(value);
    if (!isTarget(field)) problems.push(`${where}: there is no field "${field}"; ${validFields}`);
    else if (!parsed.success) problems.push(`${where}: ${field} needs the name of a column, at most 255 characters`);
    else mapping[field] = parsed.data;
  };

  if (typeof file !== 'object' || file === null || Array.isArray(file))
    problems.push('mapping file: expected an object such as { "kind": "Type__c" }');
  else for (const [field, value] of Object.entries(file)) set(field, value, 'mapping file');

  const given = new Set<string>();
  for (const arg of args) {
    const at = arg.indexOf('=');
    const field = (at < 0 ? arg : arg.slice(0, at)).trim();
    if (at < 0) problems.push(`--map ${field}: expected field=Column, for example --map kind=Type__c`);
    else if (given.has(field)) problems.push(`--map ${field}: given twice`);
    else set(field, arg.slice(at + 1), '--map');
    given.add(field);
  }
  return problems.length > 0 ? { outcome: 'invalid', problems } : { outcome: 'mapping', mapping };
}
