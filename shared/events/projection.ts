/** Events of projections (tenant `system`), and of quarantined streams (tenant of the stream). */
import { z } from 'zod';

export const projectionName = z.enum(['catalog', 'audit', 'operations']);
export type ProjectionName = z.infer<typeof projectionName>;

export const projectionEvents = {
  RebuildStarted: {
    version: 1,
    about: 'A new generation is to be built from the log.',
    data: z.object({ projection: z.string(), rebuildId: z.uuid(), reason: z.string().max(500).nullable() }),
  },
  RebuildFinished: {
    version: 1,
    about: 'The rebuild ended.',
    data: z.object({
      projection: z.string(),
      rebuildId: z.uuid(),
      outcome: z.enum(['completed', 'cancelled', 'failed']),
      error: z.string().max(500).nullable(),
      events: z.int().nonnegative(),
      seconds: z.number().nonnegative(),
    }),
  },
  GenerationSwapped: {
    version: 1,
    about: 'Another generation became the live one.',
    data: z.object({
      projection: z.string(),
      rebuildId: z.uuid(),
      from: z.int().nonnegative(),
      to: z.int().positive(),
    }),
  },
  GenerationRolledBack: {
    version: 1,
    about: 'The generation before became the live one again.',
    data: z.object({
      projection: z.string(),
      from: z.int().positive(),
      to: z.int().positive(),
      reason: z.string().max(500),
    }),
  },
} as const;

const quarantine = z.object({ projection: z.string(), stream: z.string(), reason: z.string().max(500) });

export const quarantineEvents = {
  QuarantineRetried: { version: 1, about: 'A quarantined stream is to be tried again.', data: quarantine },
  QuarantineDiscarded: { version: 1, about: 'The quarantined events of a stream are given up.', data: quarantine },
} as const;
