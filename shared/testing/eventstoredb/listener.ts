/** The double's TCP side: who is connected, and how a server's process, network or host goes away. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Gate } from './gate.ts';

/** One client's connection. */
export interface Connection {
  readonly socket: Socket;
  /** Breaks it, as a network does. What was written before still arrives. */
  cut(): void;
}

/** A port that can be closed and opened again. */
export interface Listener {
  /** 0 before the first start. */
  readonly port: number;
  start(): Promise<void>;
  /** Breaks every connection at once, as the death of the process does. */
  reset(): void;
  /** Resets every connection and refuses new ones. */
  stop(): Promise<void>;
}

/**
 * While the gate is closed connections are taken, but nothing is read from any of them.
 *
 * @param onConnection gets each new connection as soon as the gate is open
 */
export function createListener(
  options: { readonly port: number; readonly host: string; readonly gate: Gate },
  onConnection: (connection: Connection) => void,
): Listener {
  const { gate, host } = options;
  const sockets = new Set<Socket>();
  let port = options.port;
  let server: Server | undefined;

  gate.onChange(() => {
    for (const socket of sockets) setReading(socket, gate.state === 'open');
  });

  function accept(socket: Socket): void {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Clients may reset at any time.
    socket.on('error', () => socket.destroy());
    gate.pass(() => {
      if (!socket.destroyed) onConnection({ socket, cut: () => socket.destroySoon() });
    });
  }

  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };

  return {
    get port() {
      return port;
    },
    async start() {
      server = createServer(accept).listen(port, host);
      await once(server, 'listening');
      const address = server.address();
      if (address !== null && typeof address === 'object') port = address.port;
    },
    reset,
    async stop() {
      const closing = server;
      server = undefined;
      const closed = closing && once(closing, 'close');
      closing?.close();
      reset();
      await closed;
    },
  };
}

/**
 * HTTP/2 takes a socket over below the level of streams, where `pause` has no effect. A stream of our own in between
 * would stop as told, but halves the throughput: so this reaches for the handle, which Node does not promise to keep.
 */
function setReading(socket: Socket, reading: boolean): void {
  const handle = Reflect.get(socket, '_handle') as { readStart(): void; readStop(): void } | null;
  if (reading) handle?.readStart();
  else handle?.readStop();
}
