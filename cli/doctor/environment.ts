import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { verbSettings } from '#cli/config.ts';
import { type Check, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { misspeltSettings } from '#cli/doctor/misspelt.ts';
import { startSettings } from '#cli/start/config.ts';
import { runningPostgres } from '#shared/postgres/embedded/running-postgres.ts';

const group = 'environment';
const leastNode = 24;

/** Of start, of the other verbs, and of backups; tracing reads its own. */
export const settingNames: readonly string[] = [
  ...Object.keys(startSettings.shape).flatMap((name) => (name.endsWith('_FILE') ? [name] : [name, `${name}_FILE`])),
  ...Object.keys(verbSettings),
  'BACKUP_S3_ENDPOINT',
];

export function environmentChecks({ environment, settings, config }: Installation): Check[] {
  return [
    {
      group,
      name: 'Node',
      async run() {
        const version = process.versions.node;
        return Number.parseInt(version, 10) >= leastNode
          ? ok(`version ${version}`)
          : failed(
              `version ${version} runs this; ${leastNode} is needed`,
              'Start it with npx cool-mint, which brings its own.',
            );
      },
    },
    {
      group,
      name: 'settings',
      async run() {
        await settings();
        const given = settingNames.filter((name) => environment[name]);
        return ok(given.length > 0 ? `given: ${given.join(', ')}` : 'none given: everything has a default');
      },
    },
    {
      group,
      name: 'names of settings',
      async run() {
        // Kubernetes tells the addresses of services by such values, under names that may begin like ours.
        const names = Object.keys(environment).filter(
          (name) => environment[name] && !/^tcp:\/\//.test(environment[name]),
        );
        const found = misspeltSettings(names, settingNames);
        if (found.size === 0) return ok('none that looks like a setting and is none');
        return warning(
          [...found].map(([name, meant]) => `${name} is no setting; is ${meant} meant?`).join(' '),
          'What is no setting is not read. Correct the name, or unset it.',
        );
      },
    },
    {
      group,
      name: 'data folder',
      async run() {
        const { DATA_DIR, DATABASE_URL } = await config();
        const found = await stat(DATA_DIR).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return null;
          throw error;
        });
        const wanted = 'Give this user the right to write there, or set DATA_DIR to a folder of your own.';
        if (!found) {
          const parent = await nearestFolder(DATA_DIR);
          return (await mayWrite(parent))
            ? ok(`${DATA_DIR} is not there yet: the first start makes it`)
            : failed(`The data folder ${DATA_DIR} cannot be made: ${parent} cannot be written.`, wanted);
        }
        if (!found.isDirectory())
          return failed(`DATA_DIR: ${DATA_DIR} is a file.`, 'Move it away, or set DATA_DIR to a folder.');
        if (!(await mayWrite(DATA_DIR)))
          return DATABASE_URL
            ? ok(`${DATA_DIR} cannot be written; a service of its own needs only to read the keys there`)
            : failed(`The data folder ${DATA_DIR} cannot be written.`, wanted);
        if (process.platform !== 'win32' && (found.mode & 0o002) !== 0)
          return warning(
            `Everybody on this machine may write into the data folder ${DATA_DIR} (mode ${(found.mode & 0o777).toString(8)}).`,
            `Take that right away: chmod o-w ${DATA_DIR}`,
          );
        return ok(DATA_DIR);
      },
    },
    {
      group,
      name: 'embedded Postgres',
      async run() {
        const { DATABASE_URL, DATA_DIR } = await config();
        if (DATABASE_URL) return skipped('DATABASE_URL is set');
        const cluster = path.join(DATA_DIR, 'postgres');
        if (!(await stat(cluster).catch(() => null))) return ok('not there yet: the first start makes it');
        const running = await runningPostgres(DATA_DIR);
        if (running === null) return ok('does not run: it starts and ends with Cool Mint');
        const { port } = new URL(running);
        return ok(`runs at 127.0.0.1:${port}`);
      },
    },
  ];
}

const mayWrite = (folder: string): Promise<boolean> =>
  access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );

/** The folder itself, or what there is above it. */
export async function nearestFolder(folder: string): Promise<string> {
  for (let place = folder; ; place = path.dirname(place))
    if (place === path.dirname(place) || (await stat(place).catch(() => null))) return place;
}
