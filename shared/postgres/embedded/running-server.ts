import { execFile } from 'node:child_process';
import { readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** What postmaster.pid says: https://www.postgresql.org/docs/18/storage-file-layout.html */
export interface Postmaster {
  pid: number;
  port: number;
}

/** The server that runs on this cluster, if one does. A process that merely has the number of a dead server is none. */
export async function findPostmaster(cluster: string): Promise<Postmaster | null> {
  const lines = await readPidFile(cluster);
  const pid = Number(lines?.[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !(await isPostmaster(pid, cluster))) return null;
  return { pid, port: Number(lines?.[3]) };
}

/** With the password in it: not for logs. */
export const embeddedUrl = (password: string, port: number, database = 'cool_mint'): string =>
  `postgres://cool_mint:${password}@127.0.0.1:${port}/${database}`;

/** True while process `pid` is a Postgres server on this cluster. */
export async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (process.platform === 'win32') return true; // There the connection decides.
  if (process.platform === 'linux') {
    // Of a zombie both are empty. The folder is right even if it was renamed under the running server.
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!/postgres\0/.test(command)) return false;
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    return folder === cluster || command.split('\0').includes(cluster);
  }
  const command = await new Promise<string>((done) => {
    execFile('ps', ['-o', 'command=', '-p', String(pid)], (_error, stdout) => done(stdout));
  });
  return command.includes('postgres') && command.includes(cluster);
}

/**
 * Postgres takes a postmaster.pid for live if any process of its own user has that number, even a stranger or a zombie.
 * We know better here, so the number is replaced by one that no process has. The file itself must stay: it names the
 * shared memory by which Postgres notices children of a killed server that still write.
 */
export async function disownPidFile(cluster: string): Promise<void> {
  const lines = await readPidFile(cluster);
  if (lines) await writeFile(join(cluster, 'postmaster.pid'), ['2147483647', ...lines.slice(1)].join('\n'));
}

async function readPidFile(cluster: string): Promise<string[] | null> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => null);
  return text === null ? null : text.split('\n');
}

/**
 * True as soon as the server at `url` takes connections and serves this very cluster. A server that says it is starting
 * up (it may be replaying its log) is given a minute; one that says nothing, some seconds.
 */
export async function answers(url: string, cluster: string): Promise<boolean> {
  const begin = Date.now();
  for (;;) {
    try {
      const folder = await query<{ data_directory: string }>(url, 'SHOW data_directory');
      return folder[0]?.data_directory === cluster;
    } catch (error) {
      const code = (error as { code?: string }).code;
      const patience = code === '57P03' ? 60_000 : 5_000; // 57P03 is cannot_connect_now.
      if (code?.startsWith('28') || Date.now() - begin > patience) return false;
    }
    await delay(50);
  }
}

/** One query on a connection of its own. */
export async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000, query_timeout: 30_000 });
  // A connection that breaks later than the query is of no interest; without a listener it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}
