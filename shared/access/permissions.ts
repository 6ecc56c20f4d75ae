import { z } from 'zod';

/** What a token may allow; each route names one. */
export const permission = z.enum([
  'activities:read',
  'selections:read',
  'selections:write',
  'selections:share',
  'sync:read',
  'sync:write',
  'audit:read',
  'projections:read',
  'projections:rebuild',
]);
export type Permission = z.infer<typeof permission>;

/** Who calls, as the token says. */
export interface Caller {
  readonly tenant: string;
  readonly actor: string;
  readonly name: string | null;
  readonly permissions: ReadonlySet<string>;
}
