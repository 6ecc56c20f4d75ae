/**
 * Faults of the client 6.2.1, each of which a lost connection brings about, and each of which ends the process or every
 * later append. They are kept from mattering here, on what all calls of a client go through:
 *
 * - What waits for a stream of appends that is full is rejected inside a promise that nobody holds, when the stream
 *   fails. So the stream never tells that it is full; how much is in flight is bounded before (client.ts).
 * - An answer to an append that was given up meanwhile (an older stream failed) is thrown inside the stream's listener,
 *   where nobody can catch it. It is let go: the append is repeated unchanged anyway.
 * - When a read fails, the connection is exchanged, and the stream of appends on the old one stays open for ever. It is
 *   ended.
 * - What it does about an error nobody waits for, and it fails where the leader of a cluster is still being looked for.
 * - A call that waits for a connection is not ended by disposing of the client; it would be made afterwards, and keep
 *   the process alive.
 *
 * And the client asks the server what it supports before the first append, without a time-out, and keeps a failure of
 * that question for ever. It is not asked: servers have had this kind of append since 21.10.
 */
import type { EventStoreDBClient } from '@eventstore/db-client';

/** What is needed of a stream of gRPC. */
interface CallStream {
  write(...given: unknown[]): boolean;
  end(): void;
  listeners(event: 'data'): ((answer: unknown) => void)[];
  removeAllListeners(event: 'data'): void;
  on(event: 'data', listener: (answer: unknown) => void): void;
}

/** What the client has of its own, beside its published verbs; the version is pinned for it. */
interface Insides {
  supports(): Promise<boolean>;
  handleError(client: unknown, error: unknown): Promise<void>;
  GRPCStreamCreator(client: unknown, name: string, create: (grpc: unknown) => CallStream, cache?: unknown): unknown;
}

/** `closed` tells whether the client was disposed of. */
export function steadyClient(db: EventStoreDBClient, closed: () => boolean): void {
  const insides = db as unknown as Insides;
  const { GRPCStreamCreator: creator, handleError } = insides;
  let current: CallStream | null = null;

  function steady(stream: CallStream): CallStream {
    const listeners = stream.listeners('data');
    stream.removeAllListeners('data');
    stream.on('data', (answer) => {
      try {
        for (const listener of listeners) listener(answer);
      } catch {
        // Its append was given up, and is repeated.
      }
    });
    const write = stream.write.bind(stream);
    stream.write = (...given) => {
      write(...given);
      return true;
    };
    current?.end();
    current = stream;
    return stream;
  }

  insides.supports = async () => true;
  insides.handleError = (client, error) => handleError(client, error).catch(() => undefined);
  insides.GRPCStreamCreator = (client, name, create, cache) =>
    creator(
      client,
      name,
      (grpc) => {
        if (closed()) throw new Error('the client was closed');
        const stream = create(grpc);
        return name === 'appendToStream' ? steady(stream) : stream;
      },
      cache,
    );
}
