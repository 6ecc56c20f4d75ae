/** What is the same for every call: it is counted while it is open, and may need a name and password. */
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { accessDenied, unauthenticated } from './call-status.ts';

/** Calls open right now, by the path of their method. */
export type OpenCalls = Map<string, number>;

/** A user that every call about data has to name. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Keeps the count right however a call ends. */
export function countCalls(open: OpenCalls): ServerInterceptor {
  return ({ path }, call) => {
    let counted = false;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, goOn) => {
            counted = true;
            open.set(path, (open.get(path) ?? 0) + 1);
            goOn(metadata);
          },
          onCancel: () => {
            if (!counted) return;
            counted = false;
            open.set(path, open.get(path)! - 1);
          },
        }),
      sendStatus: (end, next) => {
        // The server says nothing where all went well; the library would say OK.
        next(end.code === status.OK ? { ...end, details: '' } : end);
      },
    });
  };
}

/**
 * Refuses wrong names and passwords for every call, and calls without any where data is concerned. Only batch appends
 * come through without: the server answers each of their appends.
 */
export function requireCredentials(required: Credentials): ServerInterceptor {
  const expected = `Basic ${Buffer.from(`${required.username}:${required.password}`).toString('base64')}`;
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, goOn) => {
            const [given] = metadata.get('authorization');
            const isOpenToAll = !path.includes('.streams.') || path.endsWith('/BatchAppend');
            if (given === expected || (given === undefined && isOpenToAll)) return goOn(metadata);
            const error = given === undefined ? accessDenied() : unauthenticated();
            call.sendStatus({ code: error.code, details: error.details, metadata: error.metadata ?? new Metadata() });
          },
        }),
    });
}
