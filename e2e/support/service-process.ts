/** The service as a process of its own, as `npm start` runs it, on a data folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** What each service is started as. */
export const serviceArguments = {
  commands: ['command-service'],
  queries: ['query-service'],
  relay: ['projector', '--only', 'relay'],
  apply: ['projector', '--only', 'apply'],
} as const;

export type ReadyLine = Readonly<Record<string, unknown>> & {
  readonly event?: string;
  readonly url: string;
  readonly adminUrl: string;
  readonly tokenFile: string;
};

export interface ServiceProcess {
  readonly child: ChildProcess;
  /** What it printed on standard output; every line is JSON. */
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  readonly ready: Promise<ReadyLine>;
}

/** Rejects `ready` where it ends before it is ready. */
export function startService(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  which: readonly string[] = [],
): ServiceProcess {
  const child = spawn(
    process.execPath,
    ['--max-old-space-size=320', '--import', './shared/telemetry/start.ts', 'cli/main.ts', 'start', ...which],
    {
      cwd: projectRoot,
      // A server that is there for the tests is nobody's unless a test says so.
      env: {
        ...process.env,
        EVENTSTORE_URL: '',
        KAFKA_BROKERS: '',
        REDIS_URL: '',
        PORT: '0',
        ADMIN_PORT: '0',
        DATA_DIR: dataDir,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ready = new Promise<ReadyLine>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      lines.push(text);
      const line = JSON.parse(text) as ReadyLine;
      if (line.event === 'ready') resolve(line);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${lines.at(-1)} ${errors.join('')}`)));
  });
  ready.catch(() => undefined);
  return { child, lines, errors, ready };
}

/** Answers the exit code. */
export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = await exited;
  return code as number | null;
}
