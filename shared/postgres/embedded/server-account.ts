import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SetupError } from '#shared/errors/setup-error.ts';
import { serverEnvironment } from './config.ts';
import type { Binaries } from './find-binaries.ts';

/** The account that owns the cluster and runs the server. */
export interface Account {
  uid: number;
  gid: number;
  name: string;
}

/** Runs a program to its end and gives its exit code and everything it said. Never rejects for a non-zero code. */
export type Run = (program: string, args: string[]) => Promise<{ code: number; output: string }>;

/**
 * Postgres refuses to run as root, which is who one is in many containers and on rented machines. Then the server runs
 * as whoever owns the cluster already, else as `postgres`, else as `nobody`, else as any account that is not root.
 * Null means "as ourselves".
 */
export async function findAccount(clusterPath: string, passwdFile = '/etc/passwd'): Promise<Account | null> {
  if (process.geteuid?.() !== 0) return null;
  const owner = await stat(clusterPath).catch(() => null);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, name: `user ${owner.uid}` };

  const accounts: Account[] = [];
  for (const line of (await readFile(passwdFile, 'utf8').catch(() => '')).split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name && Number(uid) !== 0 && Number.isInteger(Number(uid)) && gid) {
      accounts.push({ name, uid: Number(uid), gid: Number(gid) });
    }
  }
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const account = accounts.find((candidate) => candidate.name === name);
    if (account) return account;
  }
  if (accounts[0]) return accounts[0];
  throw new SetupError(
    'Postgres does not run as root, and this machine has no other account to run it as. Add one (for example "useradd --system postgres"), start Cool Mint as another user, or set DATABASE_URL to a Postgres 18 of your own.',
  );
}

/**
 * Finds a way to run programs as `account` so that they can reach both the programs and the data folder.
 *
 * A project under /root (mode 0700) is out of other accounts' reach. We do not loosen anyone's permissions for that:
 * setpriv lets the process keep one capability of root's, first only the one to look into folders and read files, then
 * the one to ignore file permissions (that is the one which Docker grants by default).
 */
export async function findRun(account: Account | null, binaries: Binaries, dataDir: string): Promise<Run> {
  const asOurselves: Run = (program, args) => run(program, args, {});
  if (!account) return asOurselves;

  const asAccount: Run = (program, args) => run(program, args, { uid: account.uid, gid: account.gid });
  const keeping =
    (capability: string): Run =>
    (program, args) =>
      run(
        'setpriv',
        [
          `--reuid=${account.uid}`,
          `--regid=${account.gid}`,
          '--clear-groups',
          // Postgres looks for its programs with access(2), which otherwise leaves capabilities out of account.
          '--securebits=+no_setuid_fixup',
          `--inh-caps=-all,+${capability}`,
          `--ambient-caps=-all,+${capability}`,
          program,
          ...args,
        ],
        {},
      );

  // Does what the server will have to do: go to the data folder, read from the installation, find and run its programs.
  const shared = resolve(dirname(binaries.postgres), '../share/postgresql/postgres.bki');
  const script = 'cd "$2" && : <"$3" && exec "$1" --show "--pgdata=$2"';
  const probe = ['-c', script, 'sh', binaries.initdb, dataDir, shared];
  const said: string[] = [];
  for (const way of [asAccount, keeping('dac_read_search'), keeping('dac_override')]) {
    const { code, output } = await way('sh', probe);
    if (code === 0) return way;
    said.push(output.trim());
  }
  throw new SetupError(
    `Postgres does not run as root, and the account it would run as (${account.name}) cannot reach ${dataDir} or ${dirname(binaries.postgres)}: ${said.find((line) => line !== '') ?? 'no reason given'}. ` +
      `Move the project to a folder that other accounts can enter (for example ${join('/srv', 'cool-mint')}), set DATA_DIR to such a folder, or start Cool Mint as another user.`,
  );
}

function run(
  program: string,
  args: string[],
  account: { uid?: number; gid?: number },
): Promise<{ code: number; output: string }> {
  return new Promise((done) => {
    const child = spawn(program, args, {
      ...account,
      // The server must be able to enter its working folder; ours may be closed to its account.
      ...(process.platform === 'win32' ? {} : { cwd: '/' }),
      env: serverEnvironment(),
      // A process group of its own: Ctrl-C in the terminal is for Node, which stops the server when it is done with it.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => done({ code: -1, output: error.message }));
    // 'exit', not 'close': on Windows the server inherits the pipes and keeps them open.
    child.on(process.platform === 'win32' ? 'exit' : 'close', (code) => done({ code: code ?? -1, output }));
  });
}
