/**
 * Settings that stand in files, as secrets of containers do: NAME_FILE names the file that holds the value of NAME. One
 * rule for every setting, so none has a reading of its own.
 */
import { readFileSync } from 'node:fs';
import { SetupError } from '#shared/errors/setup-error.ts';

type Settings = Readonly<Record<string, string>>;

/** What the environment gives for the settings of these names, by value or by file; one line end at the end is not part of it. */
export function withSettingFiles(environment: Settings, names: readonly string[]): Settings {
  const given: Record<string, string> = { ...environment };
  for (const name of names) {
    const variable = `${name}_FILE`;
    const file = environment[variable];
    if (file === undefined || names.includes(variable)) continue;
    if (environment[name] !== undefined)
      throw new SetupError(`${name} and ${variable} are both set. Leave one of them out.`);
    try {
      given[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw new SetupError(`${variable}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    }
    if (given[name] === '') throw new SetupError(`${variable}: ${file} is empty.`);
  }
  return given;
}
