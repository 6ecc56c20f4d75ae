/**
 * Every error that a caller can meet: one table from codes to HTTP problems (RFC 9457). Expected refusals are values
 * of `Refusal`; whatever is thrown instead is a bug and answers as `internal-error`, without details.
 */
import { z } from 'zod';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

export const problemKinds = {
  'malformed-request': { status: 400, title: 'The request is malformed' },
  'invalid-position': { status: 400, title: 'The position is not one of this log' },
  'not-authenticated': { status: 401, title: 'A valid bearer token is needed' },
  'not-permitted': { status: 403, title: 'The token does not carry the permission' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This address does not take that method' },
  'selection-frozen': { status: 409, title: 'The selection is frozen' },
  'selection-discarded': { status: 409, title: 'The selection is discarded' },
  'selection-not-discarded': { status: 409, title: 'The selection is not discarded' },
  'selection-not-frozen': { status: 409, title: 'The selection is not frozen' },
  'selection-filling': { status: 409, title: 'The selection is still being filled' },
  'selection-empty': { status: 409, title: 'The selection is empty' },
  'count-differs': { status: 409, title: 'The filter matches another number of activities' },
  'sync-run-busy': { status: 409, title: 'Another sync run of this source is under way' },
  'sync-run-ended': { status: 409, title: 'The sync run has ended' },
  'sync-run-incomplete': { status: 409, title: 'Parts of the sync run are missing' },
  'rebuild-running': { status: 409, title: 'A rebuild of this projection is under way' },
  'rebuild-ended': { status: 409, title: 'The rebuild has ended' },
  'revision-differs': { status: 412, title: 'It was changed meanwhile' },
  'too-large': { status: 413, title: 'It is too large' },
  'invalid-content': { status: 422, title: 'The content cannot be taken' },
  'unreadable-file': { status: 422, title: 'The file cannot be read' },
  'digest-differs': { status: 422, title: 'The content is not what was announced' },
  'unknown-activities': { status: 422, title: 'Some activities are unknown or deleted' },
  'too-many-matches': { status: 422, title: 'The filter matches too many activities' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'too-many-conflicts': { status: 503, title: 'Too many writers at once' },
  'view-behind': { status: 503, title: 'The view is behind the position that was asked for' },
  'view-rebuilding': { status: 503, title: 'The view is being rebuilt' },
  'log-unavailable': { status: 503, title: 'The event log does not answer' },
  'keys-unavailable': { status: 503, title: 'The keys to check tokens with cannot be fetched' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
  'internal-error': { status: 500, title: 'Something went wrong on our side' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemKinds;

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** Why a request is refused: a code, what to do next, and the fields that are wrong. */
export interface Refusal {
  readonly outcome: 'refused';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which it is worth trying again. */
  readonly retryAfter?: number;
}

export const refuse = (
  code: ProblemCode,
  detail: string,
  more: Pick<Refusal, 'errors' | 'retryAfter'> = {},
): Refusal => ({
  outcome: 'refused',
  code,
  detail,
  ...more,
});

/** A refusal on its way to the error handler. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

/** Throws where it is a refusal, else answers what it was given. */
export function orThrow<T extends { readonly outcome: string }>(result: T | Refusal): Exclude<T, Refusal> {
  if (result.outcome === 'refused') throw new ProblemError(result as Refusal);
  return result as Exclude<T, Refusal>;
}

export const problemBody = z.object({
  type: z.string().describe('stable: urn:cool-mint:problem:<code>'),
  code: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('what to do next'),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  requestId: z.string().describe('the correlation id, which /audit accepts'),
});

export function problemOf(refusal: Refusal, requestId: string): z.infer<typeof problemBody> {
  const { status, title } = problemKinds[refusal.code];
  return {
    type: `urn:cool-mint:problem:${refusal.code}`,
    code: refusal.code,
    title,
    status,
    detail: refusal.detail,
    ...(refusal.errors ? { errors: [...refusal.errors] } : {}),
    requestId,
  };
}
