/** A Redis of its own for tests: a real server on a free port that can be paused, killed, started again and flushed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';

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

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}: ${said()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await wait(10);
  }
}

async function launch(settings: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  await once(child, 'spawn').catch((error: Error) => {
    throw new Error(`These tests need redis-server on the PATH: apt-get install redis-server (${error.message}).`);
  });
  // A test run that is killed leaves no server behind, not even a paused one.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  await listening(port, child, () => said);
  return child;
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
  let child = await launch(settings, port);
  const ended = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return {
    port,
    tlsPort,
    url: `redis://${password ? `:${encodeURIComponent(password)}@` : ''}127.0.0.1:${port}`,
    kill: ended,
    async restart() {
      await ended();
      child = await launch(settings, port);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async command(name, ...values) {
      const client = new Redis({ host: '127.0.0.1', port, ...(password ? { password } : {}), maxRetriesPerRequest: 1 });
      try {
        return await client.call(name, ...values);
      } finally {
        client.disconnect();
      }
    },
    async [Symbol.asyncDispose]() {
      await ended();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
