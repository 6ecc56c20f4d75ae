/** An answer as Redis keeps it: a line about it, then the body; a text is kept as it is, for it is most of the time. */
import { z } from 'zod';
import type { CachedAnswer } from '#shared/cache/cache.ts';
import { isPosition } from '#shared/event-log/position.ts';

const head = z.object({
  asOf: z.object({ position: z.string().refine(isPosition), time: z.string().nullable() }),
  text: z.boolean(),
});

export function answerText({ asOf, body }: CachedAnswer): string {
  const text = typeof body === 'string';
  return `${JSON.stringify({ asOf, text })}\n${text ? body : JSON.stringify(body)}`;
}

/** Null where it is nothing that we wrote. */
export function answerOfText(stored: string): CachedAnswer | null {
  const end = stored.indexOf('\n');
  try {
    const { asOf, text } = head.parse(JSON.parse(stored.slice(0, end)));
    const body = stored.slice(end + 1);
    return { asOf, body: text ? body : JSON.parse(body) };
  } catch {
    return null;
  }
}
