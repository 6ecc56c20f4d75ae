/**
 * What an error of the client means. By its type and its gRPC code, never by its class: while a server is away
 * appends reject with a plain Error that has only a code, and just after its start with an "unknown" error.
 */

/**
 * - conflict, too-large: the server judged the append, and stored nothing.
 * - missing: no such stream. deleted: a tombstone stands there, which refuses for ever.
 * - denied: credentials are wrong or missing. refused: the server can't read what it was sent; a bug of ours.
 * - unknown: anything else. An append may have been stored; repeating it unchanged is safe.
 */
export type Failure = 'conflict' | 'too-large' | 'missing' | 'deleted' | 'denied' | 'refused' | 'unknown';

const byType: Readonly<Record<string, Failure>> = {
  'wrong-expected-version': 'conflict',
  'maximum-append-size-exceeded': 'too-large',
  'stream-not-found': 'missing',
  'stream-deleted': 'deleted',
  'access-denied': 'denied',
  'invalid-argument': 'refused',
};

/** gRPC: 3 invalid argument, 7 permission denied, 16 unauthenticated. */
const byCode: Readonly<Record<number, Failure>> = { 3: 'refused', 7: 'denied', 16: 'denied' };

export function failureOf(error: unknown): Failure {
  if (error instanceof TypeError || error instanceof RangeError) return 'refused';
  const { type, code, message } = error as { type?: string; code?: unknown; message?: string };
  const typed = type === undefined ? undefined : byType[type];
  if (typed) return typed;
  if (/Could not recognize BadRequest/.test(message ?? '')) return 'refused';
  return (typeof code === 'number' && byCode[code]) || 'unknown';
}

/** What to tell of it. The client leaves many messages empty. */
export function describeFailure(error: unknown): string {
  const { message, type, code, name } = error as { message?: string; type?: string; code?: unknown; name?: string };
  return message || type || (code === undefined ? (name ?? 'unknown error') : `code ${String(code)}`);
}
