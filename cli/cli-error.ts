/** What a verb can expect to go wrong. The message is for the person at the keyboard: what is wrong, and what to do. */
import type { FieldError } from '#shared/http/problem.ts';

export class CliError extends Error {
  override readonly name: string = 'CliError';
}

/** The service could not be reached, or was lost before it answered. */
export class ConnectionLost extends CliError {
  override readonly name = 'ConnectionLost';
  /** Without what to do about it. */
  readonly reason: string;
  constructor(reason: string, advice: string) {
    super(`${reason}. ${advice}`);
    this.reason = reason;
  }
}

const shownErrors = 5;

export interface ProblemAnswer {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly requestId: string | null;
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number | null;
}

/** The service answered with a problem (RFC 9457). */
export class ApiProblem extends CliError {
  override readonly name = 'ApiProblem';
  readonly problem: ProblemAnswer;
  constructor(problem: ProblemAnswer) {
    super(problemText(problem));
    this.problem = problem;
  }
}

function problemText({ status, code, title, detail, errors, requestId }: ProblemAnswer): string {
  const fields = errors.slice(0, shownErrors).map(({ field, message }) => `${field}: ${message}`);
  if (errors.length > shownErrors) fields.push(`and ${errors.length - shownErrors} more`);
  const facts = [...fields, `${code}, HTTP ${status}${requestId ? `, request id ${requestId}` : ''}`];
  return `${title}. ${detail}\n  ${facts.join('; ')}`;
}
