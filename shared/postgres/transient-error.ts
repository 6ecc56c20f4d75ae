/** Whether an error of Postgres or of the way to it may pass by itself, so that the same statement may be sent again. */

/** SQLSTATE classes and codes: connection, resources, operator intervention, serialisation, deadlock, lock time-out. */
const transientClasses = new Set(['08', '53', '57']);
const transientCodes = new Set(['40001', '40P01', '55P03', '25006']);
const systemCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

/** Nothing was answered in the time that our pools give (pool.ts). */
export const isReadTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message === 'Query read timeout';

export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string')
    // 57014 is a cancelled statement: a time-out of ours, worth repeating as well
    return systemCodes.has(code) || transientCodes.has(code) || transientClasses.has(code.slice(0, 2));
  return (
    isReadTimeout(error) ||
    /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|connection ended/i.test(
      error.message,
    )
  );
}
