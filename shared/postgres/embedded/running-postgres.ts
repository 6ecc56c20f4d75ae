import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, embeddedUrl, findPostmaster } from './running-server.ts';

/** The URL of the server that is running on a data folder, whoever started it, with the password in it; else null. Changes nothing. */
export async function runningPostgres(dataDir: string): Promise<string | null> {
  const root = await realpath(dataDir).catch(() => null);
  if (root === null) return null;
  const cluster = join(root, 'postgres');
  const postmaster = await findPostmaster(cluster);
  const password = await readFile(join(root, 'postgres.password'), 'utf8').catch(() => null);
  if (postmaster === null || password === null) return null;
  const url = embeddedUrl(password.trim(), postmaster.port);
  return (await answers(url, cluster)) ? url : null;
}
