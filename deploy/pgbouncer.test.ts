/** The files of deploy/pgbouncer with a real PgBouncer in front of a real Postgres; nothing but addresses and folders is another here. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#shared/runtime/free-port.ts';
import { type ServerProcess, startServer } from '#shared/testing/server-process.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { projectRoot } from './testing/project-root.ts';

const source = path.join(projectRoot, 'deploy', 'pgbouncer');
let folder: string;
let database: TestDatabase;
let port: number;
let server: ServerProcess;

/** The text of a file with each of these parts, which must be in it, replaced. */
async function changed(file: string, changes: readonly (readonly [from: string, to: string])[]): Promise<string> {
  let text = await readFile(path.join(source, file), 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-pgbouncer-'));
  database = await createTestDatabase();
  port = await freePort();
  const { hostname, port: postgresPort, pathname, password } = new URL(database.url);
  await writeFile(
    path.join(folder, 'pgbouncer.ini'),
    await changed('pgbouncer.ini', [
      ['host=postgres port=5432 dbname=cool_mint', `host=${hostname} port=${postgresPort} dbname=${pathname.slice(1)}`],
      ['listen_addr = 0.0.0.0', 'listen_addr = 127.0.0.1'],
      ['listen_port = 6432', `listen_port = ${port}`],
      ['/tmp/', `${folder}/`],
      ['idle_transaction_timeout = 60', 'idle_transaction_timeout = 1'],
      // The one of Debian 12 is older than this setting.
      ['max_prepared_statements = 200', ''],
    ]),
  );
  await writeFile(
    path.join(folder, 'start.sh'),
    await changed('start.sh', [
      ['/tmp/', `${folder}/`],
      ['/etc/cool-mint/', `${folder}/`],
    ]),
  );
  await writeFile(path.join(folder, 'password'), `${decodeURIComponent(password)}\n`);
  // It does not run as root; where the tests do, another account does.
  await chmod(folder, 0o777);
  const start = `POSTGRES_PASSWORD_FILE=${folder}/password exec sh ${folder}/start.sh`;
  const isRoot = process.getuid?.() === 0;
  server = await startServer({
    command: isRoot ? 'setpriv' : 'sh',
    args: [...(isRoot ? ['--reuid=65534', '--clear-groups', 'sh'] : []), '-c', start],
    ports: [port],
    hint: 'apt-get install pgbouncer',
  });
}, 60_000);
afterAll(async () => {
  await server?.kill();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

describe('PgBouncer, set up as for containers', () => {
  const connect = async (password?: string) => {
    const url = new URL(database.url);
    url.port = String(port);
    url.pathname = '/cool_mint';
    if (password !== undefined) url.password = password;
    const client = new Client({ connectionString: url.href });
    await client.connect();
    return client;
  };

  test('lets in whoever knows the password of Postgres, and nobody else', async () => {
    const client = await connect();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await expect(connect('another')).rejects.toThrow(/SASL|password/);
  });

  test('shares sessions between transactions', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect()));
    const sessions = new Set<number>();
    for (const client of clients) {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      sessions.add(rows[0]?.pid as number);
    }
    expect(sessions.size).toBeLessThan(clients.length);
    await Promise.all(clients.map((client) => client.end()));
  });

  test('cuts a transaction that does nothing, and what it had locked is free', async () => {
    const [idle, other] = await Promise.all([connect(), connect()]);
    await other.query('create table held (one int)');
    await idle.query('begin');
    await idle.query('lock table held');
    const cut = once(idle, 'error');
    // It tells of its end a second time.
    idle.on('error', () => undefined);
    await expect(other.query('begin; lock table held nowait')).rejects.toThrow(/could not obtain lock/);
    await other.query('rollback');
    expect(String((await cut)[0])).toMatch(/idle transaction timeout|terminated/);
    await expect.poll(() => other.query('insert into held values (1)').then(({ rowCount }) => rowCount)).toBe(1);
    await other.end();
  });
});

test('a password with quotation marks is written so that PgBouncer reads it whole', async () => {
  const at = await mkdtemp(path.join(tmpdir(), 'cool-mint-pgbouncer-'));
  const script = (await changed('start.sh', [['/tmp/', `${at}/`]])).replace(/^exec .*$/m, '');
  await promisify(execFile)('sh', ['-c', script], { env: { ...process.env, POSTGRES_PASSWORD: 'a"b\\c d' } });
  expect(await readFile(path.join(at, 'userlist.txt'), 'utf8')).toBe('"cool_mint" "a""b\\c d"\n');
  await rm(at, { recursive: true });
});
