// Gets from whatever Node starts us to a complete installation and a Node 24. Plain JavaScript without dependencies:
// it has to run on Node 20 in a fresh clone, and its version message even on older ones, so its syntax is old too.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const leastMajor = 20;
const wantedMajor = 24;
const windows = process.platform === 'win32';
const heartbeatMs = 2_000;
const staleAfterMs = 30_000;

/** The project folder, wherever we are called from. */
export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** For any of our programs: warnings of Node that would be no news to the user. */
export const flags = [
  // Node 24 calls some of what we use experimental.
  '--disable-warning=ExperimentalWarning',
  // kafkajs has a timer that is negative for a moment, and harmless.
  '--disable-warning=TimeoutNegativeWarning',
  // grpc-js gives TLS an address as the name of the server, where the URL has an address.
  '--disable-warning=DEP0123',
];

/**
 * For the service: tracing is loaded before anything else, and the heap is bounded. Without a bound V8 lets garbage pile up
 * to 500 MB during a large import; with it the same import stays at half of that and is no slower (docs/measurements.md).
 */
export const serviceFlags = [
  ...flags,
  '--max-old-space-size=320',
  '--import',
  pathToFileURL(join(projectRoot, 'shared', 'telemetry', 'start.ts')).href,
];

/** Why this Node cannot even start us, or null. */
export function nodeProblem(version) {
  if (Number(version.split('.')[0]) >= leastMajor) return null;
  return `Cool Mint needs Node ${leastMajor} or newer to start; this is Node ${version}. Install Node ${wantedMajor} LTS from https://nodejs.org/ (or with "nvm install ${wantedMajor}") and try again.`;
}

/** Completes the installation if need be and returns the path of a Node 24. Throws an error made for reading. */
export async function prepare(root = projectRoot) {
  const problem = nodeProblem(process.versions.node);
  if (problem) throw new SetupProblem(problem);
  await ensureInstalled(root, npmInstall);
  return findNode24(root, process.versions.node);
}

/** Runs to its end what the arguments say, with our own input and output, and returns the exit code to pass on. */
export function runChild(program, args) {
  return new Promise((done) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    // A terminal sends Ctrl-C to us and to the child alike, and npm sends us another one: the child must get one only.
    const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
    const forward = (signal) => {
      if (!(terminal && signal === 'SIGINT')) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const unwatch = watchParent(() => child.kill('SIGTERM'));
    const end = (code) => {
      unwatch();
      for (const signal of signals) process.off(signal, forward);
      done(code);
    };
    child.on('error', (error) => {
      say(`Could not run ${program}: ${error.message}`);
      end(1);
    });
    child.on('exit', (code, signal) => end(signal ? 128 + constants.signals[signal] : code));
  });
}

/**
 * npm runs a script through a shell and forwards SIGTERM to that shell only. Many shells then die without telling us,
 * and the program would run on with nobody to stop it: so the end of the shell counts as SIGTERM.
 */
function watchParent(gone) {
  const parent = process.ppid;
  if (windows || parent <= 1 || !process.env.npm_lifecycle_event) return () => {};
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, 200);
  return () => clearInterval(timer);
}

/** Runs `main` and ends the process with the exit code it returns; problems go to stderr without a stack trace. */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}

/** What a person has to put right. */
export class SetupProblem extends Error {}

/**
 * Calls `install` unless the stamp says that node_modules is what package-lock.json asks for. The stamp is written after
 * success only, so an installation that was killed is done again.
 */
export async function ensureInstalled(root, install) {
  if (hasStamp(root)) return;
  const release = await takeInstallLock(root);
  try {
    // The one who had the lock may have installed it all.
    if (hasStamp(root)) return;
    if (!release.interrupted && matchesLock(root)) {
      writeStamp(root);
      return;
    }
    rmSync(stampPath(root), { force: true });
    await install(root, release.note);
    writeStamp(root);
  } finally {
    release();
  }
}

function stampPath(root) {
  return join(root, 'node_modules', '.cool-mint-installed');
}

function stamp(root) {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  // The platform is part of it because a folder that is shared between machines has programs of one of them.
  return `${lock} ${process.platform}-${process.arch}\n`;
}

function hasStamp(root) {
  try {
    return readFileSync(stampPath(root), 'utf8') === stamp(root);
  } catch {
    return false;
  }
}

function writeStamp(root) {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(stampPath(root), stamp(root));
}

/** True if someone has run "npm ci" or "npm install" by hand: npm notes in the end what it has installed. */
function matchesLock(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const there = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    const fits = (path) => {
      if (path === '') return true;
      if (!there[path]) return wanted[path].optional === true;
      return there[path].version === wanted[path].version && existsSync(join(root, path));
    };
    // An optional package may be missing because it is for other machines, or because npm has run on one of those.
    const ours = (path) => {
      const { os, cpu } = wanted[path];
      return os && cpu && os.includes(process.platform) && cpu.includes(process.arch) && !wanted[path].libc;
    };
    return Object.keys(wanted).every((path) => fits(path) && (!ours(path) || existsSync(join(root, path))));
  } catch {
    return false;
  }
}

/**
 * One installation at a time. The lock is a folder that appears with its content by a rename, and whose holder renews
 * its time; it is stale if the holder's process is gone or its time is old (the process id may be another's by now).
 */
export async function takeInstallLock(root, options = {}) {
  const path = join(root, '.install-lock');
  const mine = `${path}-${process.pid}`;
  const owner = (folder) => {
    try {
      return JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8'));
    } catch {
      return null;
    }
  };
  const write = (folder, content) => {
    const next = join(folder, 'owner.json.next');
    writeFileSync(next, JSON.stringify(content));
    renameSync(next, join(folder, 'owner.json'));
  };
  let interrupted = false;
  let told = false;
  for (;;) {
    try {
      rmSync(mine, { recursive: true, force: true });
      mkdirSync(mine);
      writeFileSync(join(mine, '.gitignore'), '*\n');
      write(mine, { pid: process.pid });
    } catch (error) {
      throw new SetupProblem(
        `Cool Mint's packages are not installed, and ${root} cannot be written (${error.code}). Run "npm ci" there as a user who may.`,
      );
    }
    try {
      renameSync(mine, path);
      break;
    } catch (error) {
      rmSync(mine, { recursive: true, force: true });
      if (!existsSync(path) && !['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) throw error;
    }
    const holder = owner(path);
    if (holder && isStale(path, holder, options.staleAfterMs || staleAfterMs)) {
      // Only one can rename it away; should another have been quicker, this is not the stale one: give it back.
      const away = `${path}-stale-${process.pid}`;
      try {
        renameSync(path, away);
      } catch {
        continue;
      }
      const taken = owner(away);
      if (taken && taken.pid !== holder.pid) {
        renameSync(away, path);
        continue;
      }
      endOrphan(holder.npm);
      rmSync(away, { recursive: true, force: true });
      interrupted = true;
      continue;
    }
    if (!told && holder) say(`Waiting for another process (${holder.pid}) that is installing the packages ...`);
    told = true;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {
      // Someone has deleted it; there is nothing to renew.
    }
  }, heartbeatMs);
  const release = () => {
    clearInterval(heartbeat);
    rmSync(path, { recursive: true, force: true });
  };
  release.interrupted = interrupted;
  /** Notes npm's process id, so that whoever takes over can end it. */
  release.note = (npm) => write(path, { pid: process.pid, npm });
  return release;
}

function isStale(path, holder, afterMs) {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return true;
  }
  try {
    return Date.now() - statSync(path).mtimeMs > afterMs;
  } catch {
    return false;
  }
}

/** An npm whose bootstrap was killed goes on; two of them in one folder would spoil each other's work. */
function endOrphan(npm) {
  if (!npm || windows) return;
  const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(npm)], { encoding: 'utf8' });
  let command = stdout || '';
  try {
    command = command || readFileSync(`/proc/${npm}/cmdline`, 'utf8');
  } catch {
    // Not Linux, or gone.
  }
  if (!command.includes('npm')) return;
  try {
    process.kill(-npm, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** "npm ci" with its output on stderr: the lines of stdout belong to the program we are going to run. */
async function npmInstall(root, note) {
  say('Installing the packages that package-lock.json lists (npm ci) ...');
  const begin = Date.now();
  const code = await npm(
    root,
    ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    note,
  );
  if (code !== 0) {
    throw new SetupProblem(
      `The packages could not be installed: npm ended with code ${code}, its reason stands above. If the registry could not be reached, check the network and the proxy ("npm config get registry", "npm ping"); then start again, it goes on from there.`,
    );
  }
  say(`Installed in ${Math.round((Date.now() - begin) / 1000)} s.`);
}

/** Runs npm in a process group of its own, so that its helpers can be ended with it. */
function npm(root, args, note) {
  return new Promise((done, failed) => {
    const child = spawn(windows ? 'npm.cmd' : 'npm', [...args, '--json=false', '--ignore-scripts=false'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      detached: !windows,
      shell: windows,
    });
    if (note && child.pid) note(child.pid);
    const stop = (signal) => {
      if (windows) child.kill(signal);
      else process.kill(-child.pid, signal);
      failed(new SetupProblem('Stopped before the packages were installed; the next start goes on.'));
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, stop);
    const end = () => {
      for (const signal of signals) process.off(signal, stop);
    };
    child.on('error', (error) => {
      end();
      failed(new SetupProblem(`npm could not be run (${error.message}). It comes with Node: https://nodejs.org/`));
    });
    child.on('exit', (code) => {
      end();
      done(code === null ? 1 : code);
    });
  });
}

/** Our own Node if it is new enough, else the one that the npm package `node` brings. */
export async function findNode24(root, ownVersion, rebuild = (folder) => npm(folder, ['rebuild', 'node'])) {
  if (Number(ownVersion.split('.')[0]) >= wantedMajor) return process.execPath;
  const path = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node');
  if (existsSync(path)) return path;
  say(`Fetching Node ${wantedMajor} (npm rebuild node) ...`);
  await rebuild(root);
  if (existsSync(path)) return path;
  throw new SetupProblem(
    `Cool Mint runs on Node ${wantedMajor}; this is Node ${ownVersion}, and the npm package "node" could not fetch a newer one (its install script must run and reach the registry). Install Node ${wantedMajor} LTS from https://nodejs.org/ and start again.`,
  );
}

function say(message) {
  process.stderr.write(`${message}\n`);
}
