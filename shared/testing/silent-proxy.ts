/** A way to a server that can fall silent, as a network does: nothing is closed, nothing arrives. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface SilentProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on nothing arrives, on connections that are there and on new ones. */
  fallSilent(): void;
  /** New connections work again; those of before stay silent for ever, as after a failover. */
  failOver(): void;
}

export async function startSilentProxy(host: string, port: number): Promise<SilentProxy> {
  const open = new Set<Socket>();
  const silenced = new Set<Socket>();
  let silent = false;
  const keep = (socket: Socket) => {
    open.add(socket);
    if (silent) silence(socket);
    return socket.on('error', () => undefined).once('close', () => open.delete(socket));
  };
  const silence = (socket: Socket) => {
    silenced.add(socket);
    socket.unpipe();
    socket.pause();
  };
  const server = createServer((near) => {
    keep(near);
    if (silent) return;
    const far = keep(connect(port, host));
    near.pipe(far);
    far.pipe(near);
    // An end on one side is one on the other, while it is heard of.
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.once('close', () => void (silenced.has(one) || other.destroy()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    fallSilent() {
      silent = true;
      for (const socket of open) silence(socket);
    },
    failOver() {
      silent = false;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
