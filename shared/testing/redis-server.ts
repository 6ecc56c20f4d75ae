/** A Redis of its own for tests: a real server on a free port that can be paused, killed, started again and flushed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '#shared/runtime/free-port.ts';
import { startServer } from './server-process.ts';

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** With TLS, where it was asked for. */
  readonly tlsPort: number | null;
  readonly url: string;
  kill(): Promise<void>;
  /** Resolves when it listens again; empty, for it keeps nothing. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: it keeps its connections and says nothing. */
  pause(): void;
  resume(): void;
  /** What `redis-cli` would be asked. */
  command(name: string, ...values: string[]): Promise<unknown>;
}

export interface RedisServerOptions {
  readonly password?: string;
  /** PEM texts of a second, encrypted port. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-redis-'));
  const { password, tls } = options;
  const port = await freePort();
  const tlsPort = tls ? await freePort() : null;
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  if (password) settings.push('--requirepass', password);
  if (tls) {
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    await Promise.all([writeFile(cert, tls.cert), writeFile(key, tls.key)]);
    settings.push('--tls-port', `${tlsPort}`, '--tls-cert-file', cert, '--tls-key-file', key);
    settings.push('--tls-ca-cert-file', cert, '--tls-auth-clients', 'no');
  }
  const server = await startServer({
    command: 'redis-server',
    args: settings,
    ports: [port],
    hint: 'apt-get install redis-server',
  });
  return {
    port,
    tlsPort,
    url: `redis://${password ? `:${encodeURIComponent(password)}@` : ''}127.0.0.1:${port}`,
    kill: server.kill,
    restart: async () => {
      await server.kill();
      await server.start();
    },
    pause: server.pause,
    resume: server.resume,
    async command(name, ...values) {
      const client = new Redis({ host: '127.0.0.1', port, ...(password ? { password } : {}), maxRetriesPerRequest: 1 });
      try {
        return await client.call(name, ...values);
      } finally {
        client.disconnect();
      }
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
