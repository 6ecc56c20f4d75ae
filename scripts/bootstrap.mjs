// What the scripts in package.json run: "node scripts/bootstrap.mjs start|dev|test [arguments]".
import { join } from 'node:path';
import { prepare, projectRoot, runChild, runMain, SetupProblem, serviceFlags } from './node24.mjs';

const main = join(projectRoot, 'cli', 'main.ts');
const commands = {
  start: (args) => [...serviceFlags, main, 'start', ...args],
  dev: (args) => [...serviceFlags, '--watch', main, 'start', ...args],
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
