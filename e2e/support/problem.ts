import { expect } from 'vitest';
import type { Answer } from './api.ts';

/** Expects the answer to be a problem of that status and code, in the shape that every problem has. */
export function expectProblem(answer: Answer, status: number, code: string, about = ''): void {
  const { body, headers } = answer;
  expect([about, answer.status, body.code], JSON.stringify(body).slice(0, 500)).toEqual([about, status, code]);
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ type: `urn:cool-mint:problem:${code}`, status });
  expect(body.title).toMatch(/\S/);
  expect(body.detail).toMatch(/\S/);
  expect(body.requestId).toBe(headers.get('x-request-id'));
  const known = ['type', 'code', 'title', 'status', 'detail', 'errors', 'requestId'];
  expect(Object.keys(body).filter((key) => !known.includes(key))).toEqual([]);
}
