import type { Random } from './random.ts';
import { sentences } from './words.ts';

/** One to three different sentences: every fifth of 14 from a drawn one, and 5 and 14 have no common factor. */
export function someSentences(draw: Random): string[] {
  const first = draw.below(sentences.length);
  return Array.from({ length: 1 + draw.below(3) }, (_, i) => sentences[(first + i * 5) % sentences.length] as string);
}
