/** What all verbs have in common: --json, an example under the help, and how to go on after a mistake. */
import { Command, InvalidArgumentError } from 'commander';

/** Mistakes in options read like all other messages. */
export const sameVoice = {
  outputError: (text: string, write: (text: string) => void) => write(text.replace(/^error: /, 'cool-mint: ')),
};

export function verb(name: string, about: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(about)
    .option('--json', 'machine-readable output on standard output')
    .helpOption('-h, --help', 'show this help')
    .addHelpText(
      'after',
      `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${examples.map((each) => `  $ cool-mint ${each}`).join('\n')}`,
    )
    .configureOutput(sameVoice)
    .showHelpAfterError(`("cool-mint ${name} --help" shows how)`);
}

export const tenantFlag = '--tenant <name>';
export const tenantText = 'whose data (default: "main"; not with MINT_TOKEN, which names the tenant itself)';

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(
        `Expected a whole number${most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`}.`,
      );
    return value;
  };
}

/** For options that may be repeated. */
export const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** For options that may be repeated and take lists with commas. */
export const collectList = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
];

const date = /^\d{4}-\d{2}-\d{2}$/;
const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;
const expected = 'Expected a date (2026-01-31, a day in UTC) or a time with its zone (2026-01-31T09:30:00Z).';

function instantOf(text: string, dayAfter: boolean): string {
  const day = date.test(text);
  const time = day || instant.test(text) ? Date.parse(day ? `${text}T00:00:00Z` : text) : Number.NaN;
  // 2026-02-31 would roll over.
  if (Number.isNaN(time) || (day && new Date(time).toISOString().slice(0, 10) !== text))
    throw new InvalidArgumentError(expected);
  return new Date(time + (day && dayAfter ? 86_400_000 : 0)).toISOString();
}

/** --from: from then on. */
export const fromInstant = (text: string): string => instantOf(text, false);
/** --to: up to the end of the day, or before the time. */
export const toInstant = (text: string): string => instantOf(text, true);
