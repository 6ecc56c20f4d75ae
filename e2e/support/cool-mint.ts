/** The command as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { flags } from '#scripts/node24.mjs';
import { projectRoot } from './service-process.ts';

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `onOutput` is called with all of standard output so far, whenever there is more of it. */
export function startCoolMint(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  onOutput: (out: string, child: ChildProcess) => void = () => undefined,
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [...flags, path.join(projectRoot, 'cli/main.ts'), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
    onOutput(out, child);
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}

export const coolMint = (...given: Parameters<typeof startCoolMint>): Promise<Ended> => startCoolMint(...given).ended;

/** Sends it a signal as soon as something is so; it fails a test where it has ended before. */
export async function signalWhen(
  { child, ended }: ReturnType<typeof startCoolMint>,
  signal: NodeJS.Signals,
  isSo: () => Promise<boolean>,
): Promise<Ended> {
  while (!(await isSo()))
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before: ${JSON.stringify(await ended)}`);
  child.kill(signal);
  return ended;
}

export const jsonLines = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
