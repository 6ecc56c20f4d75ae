export const projectRoot: string;
export const flags: string[];
export const serviceFlags: string[];
export function nodeProblem(version: string): string | null;
export function prepare(root?: string): Promise<string>;
export function runChild(program: string, args: string[]): Promise<number>;
export function runMain(main: () => Promise<number>): Promise<void>;
export class SetupProblem extends Error {}
export function ensureInstalled(
  root: string,
  install: (root: string, note: (npm: number) => void) => Promise<void>,
): Promise<void>;
export interface InstallLock {
  (): void;
  /** True if the lock was taken over from a process that was killed. */
  interrupted: boolean;
  note(npm: number): void;
}
export function takeInstallLock(root: string, options?: { staleAfterMs?: number }): Promise<InstallLock>;
export function findNode24(
  root: string,
  ownVersion: string,
  rebuild?: (root: string) => Promise<unknown>,
): Promise<string>;
