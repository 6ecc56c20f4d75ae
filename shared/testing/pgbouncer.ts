/** A PgBouncer of its own for tests, in transaction mode, before a Postgres. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '#shared/runtime/free-port.ts';
import { startServer } from './server-process.ts';

export interface PgBouncer extends AsyncDisposable {
  /** The same database, through it. */
  urlOf(databaseUrl: string): string;
}

/** `more`: settings of pgbouncer.ini. */
export async function startPgBouncer(
  postgresUrl: string,
  more: Readonly<Record<string, number>> = {},
): Promise<PgBouncer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-pgbouncer-'));
  const [port, server] = [await freePort(), new URL(postgresUrl)];
  const file = path.join(folder, 'pgbouncer.ini');
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    // Fewer than the sessions of one process: they are shared in fact.
    default_pool_size: 6,
    server_idle_timeout: 1,
    ...more,
  };
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port} user=${decodeURIComponent(server.username)} password='${decodeURIComponent(server.password)}'`,
      '[pgbouncer]',
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
      '',
    ].join('\n'),
  );
  // It refuses to run as root, and then needs no right but to read its settings.
  const asRoot = process.getuid?.() === 0;
  const bouncer = await startServer({
    command: 'pgbouncer',
    args: [...(asRoot ? ['-u', 'nobody'] : []), file],
    ports: [port],
    hint: 'apt-get install pgbouncer',
  });
  return {
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl);
      url.host = `127.0.0.1:${port}`;
      return url.href;
    },
    async [Symbol.asyncDispose]() {
      await bouncer.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
