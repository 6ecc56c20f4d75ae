// What the scripts in package.json run: "node scripts/bootstrap.mjs start|dev|test [arguments]".
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, projectRoot, runChild, runMain, SetupProblem } from './node24.mjs';

const main = join(projectRoot, 'cli', 'main.ts');
const telemetry = pathToFileURL(join(projectRoot, 'shared', 'telemetry', 'start.ts')).href;
// Node 24 calls some of what we use experimental; the warning would be no news to the user.
const flags = ['--disable-warning=ExperimentalWarning'];

const commands = {
  start: (args) => [...flags, '--import', telemetry, main, 'start', ...args],
  dev: (args) => [...flags, '--watch', '--import', telemetry, main, 'start', ...args],
  test: (args) => [join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...args],
};

runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  if (!Object.keys(commands).includes(name)) {
    throw new SetupProblem(`Usage: node scripts/bootstrap.mjs ${Object.keys(commands).join('|')} [arguments]`);
  }
  const node24 = await prepare();
  return runChild(node24, commands[name](args));
});
