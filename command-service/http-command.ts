/** Between HTTP and commands: identity of a request, its headers, and the headers of the answer. */
import { createHash, randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Command } from '#command-service/command.ts';
import type { Accepted } from '#command-service/handle-command.ts';
import { commandId } from '#shared/events/stream-name.ts';
import { orThrow, ProblemError, type Refusal, refuse } from '#shared/http/problem.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** Headers that every command takes. */
export const commandHeaders = z.looseObject({
  'idempotency-key': z.string().min(1).max(200).optional().describe('makes the command safe to repeat'),
  'if-match': z.string().optional().describe('the revision that you saw, in double quotes; another one now: 412'),
});

function ifMatchOf(header: string | undefined): number | null {
  if (header === undefined || header === '*') return null;
  const revision = /^"(\d{1,15})"$/.exec(header)?.[1];
  if (revision === undefined)
    throw new ProblemError(
      refuse('malformed-request', 'If-Match is the revision in double quotes: "3", not the ETag of a query.'),
    );
  return Number(revision);
}

/** Text that is no valid Unicode has no canonical form; it could not be stored as it is either. */
function canonicalText(asked: unknown): string {
  try {
    return canonicalize(asked ?? null) ?? 'null';
  } catch {
    throw new ProblemError(
      refuse('invalid-content', 'A text in the request is no valid Unicode (half of a surrogate pair).'),
    );
  }
}

/**
 * The command that a request asks for. `asked` is what counts as "the same request" beside the path: the parsed body,
 * or the digest of a streamed one.
 */
export function commandOf(request: FastifyRequest, runtime: Runtime, asked: unknown): Command {
  const { tenant, actor, name } = request.caller;
  const target = `${request.method} ${request.url.split('?')[0]}`;
  const key = request.headers['idempotency-key'];
  return {
    tenant,
    actor,
    id: commandId(tenant, actor, target, typeof key === 'string' ? key : randomUUID()),
    requestHash: createHash('sha256').update(canonicalText(asked)).digest('hex'),
    correlationId: request.id,
    now: runtime.now(),
    ifMatch: ifMatchOf(request.headers['if-match']),
    origin: { actorName: name, clientAddress: request.ip ?? null, userAgent: request.headers['user-agent'] ?? null },
  };
}

/** Throws the refusal, or sets ETag and Cool-Mint-Position and answers what was accepted. */
export function answerOf<State>(reply: FastifyReply, result: Accepted<State> | Refusal): Accepted<State> {
  const accepted = orThrow(result) as Accepted<State>;
  reply.header('ETag', `"${accepted.revision}"`);
  reply.header('Cool-Mint-Position', accepted.position);
  return accepted;
}
