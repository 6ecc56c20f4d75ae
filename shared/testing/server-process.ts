/** A server that tests run as a process of their own: ready when it listens, killed, paused, and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export interface ServerProcess {
  kill(): Promise<void>;
  /** Starts it where it does not run; resolves when it listens. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: it keeps its connections and says nothing. */
  pause(): void;
  resume(): void;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** On 127.0.0.1; it is ready when it listens on all of them. */
  readonly ports: readonly number[];
  /** What to install where the command is not there. */
  readonly hint: string;
  readonly cwd?: string;
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${child.spawnfile} ended with ${child.exitCode ?? child.signalCode}: ${said()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await wait(20);
  }
}

async function launch({ command, args, ports, hint, cwd }: ServerCommand): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(cwd ? { cwd } : {}) });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  await once(child, 'spawn').catch((error: Error) => {
    throw new Error(`These tests need ${command} on the PATH: ${hint} (${error.message}).`);
  });
  // A test run that ends early leaves no server behind, not even a paused one.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  for (const port of ports) await listening(port, child, () => said);
  return child;
}

/** Resolves when it listens; rejects with what it said where it ends before. */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  let child = await launch(command);
  const runs = () => child.exitCode === null && child.signalCode === null;
  return {
    async kill() {
      if (!runs()) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
    async start() {
      if (!runs()) child = await launch(command);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}
