/**
 * The answer about one thing, with a validator. The tag is made of what is answered, without the position as of which
 * it is: that moves with everything that happens, and the thing does not. So the tag is a weak one (RFC 9110, 8.8.1),
 * and no If-Match: that takes the revision. It is not the revision alone, because an answer may hold what is of other
 * streams (names of related records), and a rebuilt projection may answer the same revision differently.
 */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { demandHeaders } from '#shared/http/demand.ts';
import type { AsOf } from '#shared/read-model/read-model.ts';

export const taggedHeaders = demandHeaders.extend({
  'if-none-match': z.string().max(2_000).optional().describe('the ETag of an answer that you have; still so: 304'),
});

/** The tags of a header; a weak one and a strong one of the same text are the same here. */
const tagsIn = (header: string): string[] => [...header.matchAll(/"[\x21\x23-\x7e\x80-\xff]*"/g)].map(([tag]) => tag);

/** Sends what a stream says at a revision, or 304 where the caller has it; either way Cool-Mint-Position says as of when. */
export function sendTagged<T extends { readonly asOf: AsOf }>(
  request: FastifyRequest,
  reply: FastifyReply,
  revision: number,
  found: T,
): T | FastifyReply {
  const { asOf, ...thing } = found;
  const digest = createHash('sha256').update(JSON.stringify(thing)).digest('base64url').slice(0, 16);
  const tag = `"${revision}-${digest}"`;
  reply.header('ETag', `W/${tag}`);
  // Personal, and it may change at any time: to be kept by the caller only, and asked about before each use.
  reply.header('Cache-Control', 'private, no-cache');
  reply.header('Cool-Mint-Position', asOf.position);
  const known = request.headers['if-none-match'];
  if (known !== undefined && (known.trim() === '*' || tagsIn(known).includes(tag))) return reply.status(304).send();
  return found;
}
