/** The headers by which a caller demands a position, and says how long to wait for it. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isPosition, laterOf, logIdOf, type Position } from '#shared/event-log/position.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import type { Demand } from '#shared/read-model/read-model.ts';

const defaultWaitSeconds = 5;
const longestWaitSeconds = 30;

export const demandHeaders = z.looseObject({
  'cool-mint-min-position': z
    .string()
    .max(2_000)
    .optional()
    .describe('a position that the answer must reflect; repeatable, the highest counts'),
  prefer: z
    .string()
    .max(200)
    .optional()
    .describe(
      `wait=<seconds>: how long to wait for that position, ${defaultWaitSeconds} by default, at most ${longestWaitSeconds}`,
    ),
});

/** `logId`: positions of another log are refused. */
export function demandOf(request: FastifyRequest, logId: string): Demand {
  const header = request.headers['cool-mint-min-position'];
  const positions = [header ?? []]
    .flat()
    .flatMap((text) => text.split(',').map((part) => part.trim()))
    .filter(Boolean);
  for (const position of positions) {
    if (!isPosition(position))
      throw new ProblemError(
        refuse('malformed-request', 'Cool-Mint-Min-Position: give positions as Cool-Mint-Position told them.'),
      );
    if (logIdOf(position) !== logId)
      throw new ProblemError(
        refuse(
          'invalid-position',
          'That position is of another event log; this one was restored or exchanged. Drop it and read anew.',
        ),
      );
  }
  const wait = /(?:^|[,;\s])wait=(\d{1,4})\b/.exec([request.headers['prefer'] ?? []].flat().join(','))?.[1];
  const seconds = Math.min(wait === undefined ? defaultWaitSeconds : Number(wait), longestWaitSeconds);
  const minPosition = positions.reduce<Position | null>(
    (latest, position) => (latest === null ? position : laterOf(latest, position)),
    null,
  );
  return { minPosition, waitMilliseconds: seconds * 1000 };
}
