/**
 * Brings a database to the schema of this version: numbered SQL files, each in a transaction of its own, one process
 * at a time. A file that was applied is never changed; its checksum is compared.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { SetupError } from '#shared/errors/setup-error.ts';

const folder = new URL('./migrations/', import.meta.url);

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/**
 * What this version would apply, in order, to a database that was migrated before. Rejects with a SetupError where a newer
 * version was here, or a file has changed. Changes nothing.
 */
export async function pendingMigrations(client: Pick<Client, 'query'>): Promise<Migration[]> {
  const before = await client.query<{ name: string; checksum: string }>('select name, checksum from migration.applied');
  const applied = new Map(before.rows.map((row) => [row.name, row.checksum]));
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const newer = [...applied.keys()].filter((name) => !files.includes(name));
  if (newer.length > 0)
    throw new SetupError(
      `The database was migrated by a newer version of Cool Mint (${newer.join(', ')}). Start that version, or use another database (DATABASE_URL, DATA_DIR).`,
    );
  const pending: Migration[] = [];
  for (const name of files) {
    const sql = await readFile(new URL(name, folder), 'utf8');
    const checksum = createHash('sha256').update(sql).digest('hex');
    const known = applied.get(name);
    if (known === checksum) continue;
    if (known !== undefined)
      throw new SetupError(
        `Migration ${name} was applied in another form than this version has. Restore the file, or use another database.`,
      );
    pending.push({ name, sql, checksum });
  }
  return pending;
}

/** The URL must lead to a session, not to a transaction pooler. Answers the names of what was applied now. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'cool-mint migrate' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(7305120440)');
    await client.query('create schema if not exists migration');
    await client.query(
      'create table if not exists migration.applied (name text primary key, checksum text not null, at timestamptz not null default now())',
    );
    const now: string[] = [];
    for (const { name, sql, checksum } of await pendingMigrations(client)) {
      await client.query('begin');
      await client.query(sql);
      await client.query('insert into migration.applied (name, checksum) values ($1, $2)', [name, checksum]);
      await client.query('commit');
      now.push(name);
    }
    return now;
  } finally {
    await client.end();
  }
}
