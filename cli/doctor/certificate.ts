/** The certificate that a server shows, whatever is wrong with it. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Server } from '#cli/doctor/servers.ts';

const connectMilliseconds = 5_000;

export interface ShownCertificate {
  readonly until: Date;
  /** Why it is not accepted; null where it is. */
  readonly refusal: Error | null;
}

/** Rejects where there is no connection, or no TLS on it. */
export async function certificateOf({ host, port, tls, caFile }: Server): Promise<ShownCertificate> {
  const signal = AbortSignal.timeout(connectMilliseconds);
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal });
    if (tls === 'postgres') await askPostgres(socket, signal);
    const secure = connectTls({
      socket,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...(isIP(host) ? { host } : { host, servername: host }),
      ...(caFile ? { ca: await readFile(caFile, 'utf8') } : {}),
    });
    try {
      await once(secure, 'secureConnect', { signal });
      const until = new Date(secure.getPeerCertificate().valid_to);
      const refusal = secure.authorizationError as Error | string | null;
      return { until, refusal: typeof refusal === 'string' ? new Error(refusal) : refusal };
    } finally {
      secure.destroy();
    }
  } finally {
    socket.destroy();
  }
}

/** https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL */
async function askPostgres(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
  const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
  if (answer.toString('latin1') !== 'S') throw new Error('it does not speak TLS');
}
