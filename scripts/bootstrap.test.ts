import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureInstalled, findNode24, nodeProblem, SetupProblem, takeInstallLock } from './node24.mjs';

let root: string;
const install = vi.fn(async (folder: string) => {
  await mkdir(join(folder, 'node_modules', 'thing'), { recursive: true });
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cool-mint-bootstrap-'));
  await writeLock('1.0.0');
  install.mockClear();
});
afterEach(() => rm(root, { recursive: true, force: true }));

function writeLock(version: string): Promise<void> {
  const packages = { '': {}, 'node_modules/thing': { version }, 'node_modules/elsewhere': { version, optional: true } };
  return writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages }));
}

/** A Node process that runs `code` with the functions of node24.mjs at hand. */
function child(code: string) {
  const module = new URL('./node24.mjs', import.meta.url).href;
  return spawn(
    process.execPath,
    ['--input-type=module', '--eval', `import * as n from ${JSON.stringify(module)};${code}`],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
}

test('a Node that is too old is told which one to install', () => {
  expect(nodeProblem('18.19.0')).toMatch(/needs Node 20 or newer.*this is Node 18\.19\.0.*nodejs\.org/);
  expect(nodeProblem('20.0.0')).toBeNull();
});

test('packages are installed when they are missing or the lock file has changed, and not otherwise', async () => {
  await ensureInstalled(root, install);
  await ensureInstalled(root, install);
  expect(install).toHaveBeenCalledTimes(1);
  await writeLock('1.0.1');
  await ensureInstalled(root, install);
  expect(install).toHaveBeenCalledTimes(2);
  expect((await readdir(root)).sort()).toEqual(['node_modules', 'package-lock.json']);
});

test('packages that someone installed by hand are taken as they are if they match', async () => {
  const installedByHand = async (version: string) => {
    await mkdir(join(root, 'node_modules', 'thing'), { recursive: true });
    const packages = { 'node_modules/thing': { version } };
    await writeFile(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
  };
  await installedByHand('0.9.0');
  await ensureInstalled(root, install);
  expect(install).toHaveBeenCalledTimes(1);
  await writeLock('1.0.1');
  await installedByHand('1.0.1');
  await ensureInstalled(root, install);
  expect(install).toHaveBeenCalledTimes(1);
});

test('an installation that failed or was killed is done again', async () => {
  await expect(ensureInstalled(root, () => Promise.reject(new SetupProblem('no network')))).rejects.toThrow(
    'no network',
  );
  const killed = child(`await n.ensureInstalled(${JSON.stringify(root)}, () => new Promise(() => {
    console.log('installing'); setInterval(() => {}, 1000); }));`);
  await once(killed.stdout, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  // What npm notes in the end cannot be believed after that.
  await mkdir(join(root, 'node_modules', 'thing'), { recursive: true });
  const packages = { 'node_modules/thing': { version: '1.0.0' } };
  await writeFile(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
  await ensureInstalled(root, install);
  expect(install).toHaveBeenCalledTimes(1);
  expect(existsSync(join(root, '.install-lock'))).toBe(false);
});

test('of several starts at the same time one installs', async () => {
  const code = `await n.ensureInstalled(${JSON.stringify(root)}, async () => {
    console.log('installed'); await new Promise((r) => setTimeout(r, 200)); });`;
  const outputs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const process = child(code);
      let output = '';
      process.stdout.on('data', (chunk) => {
        output += chunk;
      });
      const [exitCode] = await once(process, 'close');
      expect(exitCode).toBe(0);
      return output;
    }),
  );
  expect(outputs.join('')).toBe('installed\n');
});

test('a lock whose holder has another process id by now is taken over when it is old', async () => {
  const path = join(root, '.install-lock');
  await mkdir(path);
  await writeFile(join(path, 'owner.json'), JSON.stringify({ pid: process.pid }));
  await utimes(path, new Date(0), new Date(0));
  const release = await takeInstallLock(root);
  expect(release.interrupted).toBe(true);
  release();
});

test('the npm that a killed start has left is ended before another one begins', async () => {
  if (process.platform === 'win32') return;
  const orphan = spawn(
    process.execPath,
    ['--eval', 'process.title = "npm ci"; console.log("up"); setInterval(() => {}, 1e3)'],
    {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await once(orphan.stdout!, 'data');
  const path = join(root, '.install-lock');
  await mkdir(path);
  const gone = spawnSync(process.execPath, ['--eval', '']).pid;
  await writeFile(join(path, 'owner.json'), JSON.stringify({ pid: gone, npm: orphan.pid }));
  const ended = once(orphan, 'exit');
  (await takeInstallLock(root))();
  expect((await ended)[1]).toBe('SIGKILL');
});

test('Node 24 is our own, or the one of the npm package, which is fetched if its install script has not run', async () => {
  expect(await findNode24(root, '24.0.0')).toBe(process.execPath);
  const path = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  await expect(findNode24(root, '20.1.0', async () => {})).rejects.toThrow(/runs on Node 24; this is Node 20\.1\.0/);
  const rebuild = vi.fn(async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '');
  });
  expect(await findNode24(root, '20.1.0', rebuild)).toBe(path);
  expect(await findNode24(root, '20.1.0', rebuild)).toBe(path);
  expect(rebuild).toHaveBeenCalledTimes(1);
});

test('exit codes are passed on, and a signal reaches the child once', async () => {
  const failing = child(`process.exitCode = await n.runChild(process.execPath, ['--eval', 'process.exit(7)']);`);
  expect((await once(failing, 'exit'))[0]).toBe(7);

  const killed = child(
    `process.exitCode = await n.runChild(process.execPath, ['--eval', 'process.kill(process.pid, 9)']);`,
  );
  expect((await once(killed, 'exit'))[0]).toBe(137);

  const count = join(root, 'count');
  const script = `
    let count = 0;
    process.on('SIGTERM', () => { count++; setTimeout(() => { require('fs').writeFileSync(${JSON.stringify(count)}, String(count)); process.exit(3); }, 100); });
    setInterval(() => {}, 1000); console.log('up');`;
  const signalled = child(
    `process.exitCode = await n.runChild(process.execPath, ['--eval', ${JSON.stringify(script)}]);`,
  );
  await once(signalled.stdout, 'data');
  signalled.kill('SIGTERM');
  expect((await once(signalled, 'exit'))[0]).toBe(3);
  expect(await readFile(count, 'utf8')).toBe('1');
});

test('an unknown command explains the usage on stderr', () => {
  const bootstrap = new URL('./bootstrap.mjs', import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, [bootstrap, 'fly'], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toBe('Usage: node scripts/bootstrap.mjs start|dev|test [arguments]\n');
});
