#!/usr/bin/env node
// The `cool-mint` command: cli/main.ts under Node 24, in the caller's working folder.
import { join } from 'node:path';
import { flags, prepare, projectRoot, runChild, runMain, serviceFlags } from '../scripts/node24.mjs';

runMain(async () => {
  const node24 = await prepare();
  const main = join(projectRoot, 'cli', 'main.ts');
  const args = process.argv.slice(2);
  return runChild(node24, [...(args[0] === 'start' ? serviceFlags : flags), main, ...args]);
});
