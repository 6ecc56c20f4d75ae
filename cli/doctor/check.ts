/** What the doctor's checks are, and what they find. */

export const groups = [
  'environment',
  'database',
  'log',
  'broker',
  'cache',
  'projections',
  'api',
  'authentication',
  'network',
  'clock',
  'disk',
] as const;
export type Group = (typeof groups)[number];

/**
 * - ok: as it should be; the text says what is there.
 * - warning: it works, and may not for long, or not as well as it could.
 * - failed: something does not work.
 * - skipped: not looked at, and why.
 */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly text: string;
  /** What to do; null where the text says it already, or there is nothing. */
  readonly advice: string | null;
}

export interface Check {
  readonly group: Group;
  readonly name: string;
  /** Writes nothing. What it throws is a finding too: see examine.ts. */
  run(): Promise<Finding>;
}

export const ok = (text: string): Finding => ({ status: 'ok', text, advice: null });
export const skipped = (text: string): Finding => ({ status: 'skipped', text, advice: null });
export const warning = (text: string, advice: string | null = null): Finding => ({ status: 'warning', text, advice });
export const failed = (text: string, advice: string | null = null): Finding => ({ status: 'failed', text, advice });

/** What a check needs is not there. Another check tells why, or the settings do without it. */
export class NotThere extends Error {
  override readonly name = 'NotThere';
}
