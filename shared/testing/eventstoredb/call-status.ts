/** How calls end that do not end well, in the server's words: the client tells its errors apart by these. */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';

function failure(code: status, details: string, trailers: Readonly<Record<string, string>> = {}): ServiceError {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return Object.assign(new Error(details), { code, details, metadata });
}

/** Any refusal by something between the client and the server. */
export const unavailable = (): ServiceError => failure(status.UNAVAILABLE, 'The double was told to be unavailable.');

/** Reads just after the start. */
export const serverNotReady = (): ServiceError => failure(status.UNAVAILABLE, 'Server Is Not Ready');

/** A follower's answer, with where the leader is. */
export const notLeader = (host: string, port: number): ServiceError =>
  failure(status.NOT_FOUND, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': host,
    'leader-endpoint-port': String(port),
  });

/** A stream that refuses for ever. */
export const streamDeleted = (stream: string): ServiceError =>
  failure(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });

/** Deletes answer a conflict with a status, appends with a message. */
export const wrongExpectedVersion = (stream: string, expected: bigint, current: number): ServiceError =>
  failure(
    status.FAILED_PRECONDITION,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${current}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': String(expected),
      'actual-version': String(current),
    },
  );

/** Unary appends answer this with a status, batch appends with a message. */
export const maxAppendSizeExceeded = (limit: number): ServiceError =>
  failure(status.INVALID_ARGUMENT, `Maximum Append Size of ${limit} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(limit),
  });

/** What a request makes no sense with. */
export const invalidArgument = (details: string): ServiceError => failure(status.INVALID_ARGUMENT, details);

/** The client knows this one by its code alone. */
export const timedOut = (details: string): ServiceError => failure(status.ABORTED, `Operation timed out: ${details}`);

/** A live subscriber that did not keep up. */
export const consumerTooSlow = (): ServiceError =>
  timedOut('Consumer too slow to handle event while live. Client resubscription required.');

/** Wrong name or password. */
export const unauthenticated = (): ServiceError => failure(status.UNAUTHENTICATED, '');

/** No name and password where one is required. */
export const accessDenied = (): ServiceError =>
  failure(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });
