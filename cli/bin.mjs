#!/usr/bin/env node
// The `cool-mint` command: cli/main.ts under Node 24, in the caller's working folder.
import { join } from 'node:path';
import { prepare, projectRoot, runChild, runMain } from '../scripts/node24.mjs';

runMain(async () => {
  const node24 = await prepare();
  const main = join(projectRoot, 'cli', 'main.ts');
  return runChild(node24, ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)]);
});
