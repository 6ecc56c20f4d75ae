import type { ConnectionOptions } from 'node:tls';
import { Client } from 'pg';
import { SetupError } from '#shared/errors/setup-error.ts';
import { withoutCredentials } from '#shared/errors/without-credentials.ts';

const leastVersion = 15;

export interface DatabaseUrls {
  readonly DATABASE_URL: string;
  /** The same database without a pooler, for what needs a session: notifications, migrations. */
  readonly DATABASE_DIRECT_URL?: string | undefined;
}

export interface FoundDatabase extends Seen {
  /** DATABASE_DIRECT_URL leads to a pooler, too: right only where that gives each client a session of its own. */
  readonly directPooled: boolean;
}

/** Throws a SetupError that names the setting where the configured database cannot be used. */
export async function checkDatabase({ DATABASE_URL, DATABASE_DIRECT_URL }: DatabaseUrls): Promise<FoundDatabase> {
  const seen = await look(DATABASE_URL, 'DATABASE_URL');
  if (DATABASE_DIRECT_URL === undefined) {
    if (seen.pooled)
      throw new SetupError(
        `DATABASE_URL: a connection pooler answers at ${seen.place}. Set DATABASE_DIRECT_URL to the Postgres behind it: notifications and migrations need a session of their own.`,
      );
    return { ...seen, directPooled: false };
  }
  const direct = await look(DATABASE_DIRECT_URL, 'DATABASE_DIRECT_URL');
  if (direct.database !== seen.database)
    throw new SetupError(
      `DATABASE_DIRECT_URL: ${direct.place} is another database than the one that DATABASE_URL leads to (${seen.place}). Both must lead to the same.`,
    );
  return { ...seen, directPooled: direct.pooled };
}

interface Seen {
  /** Without credentials. */
  readonly place: string;
  readonly version: number;
  /** What answers is not the process that the session was said to have: somebody stands between. */
  readonly pooled: boolean;
  /** Which database of which server. */
  readonly database: string;
}

/** Whether TLS, where it is used, means that the server is the one that was asked for. */
function checksCertificates(client: Client): boolean {
  // As pg read them from the URL and from PG… variables; its types know the URL's `true` only.
  const { ssl } = client as unknown as { readonly ssl?: boolean | ConnectionOptions };
  if (typeof ssl !== 'object' || ssl === null) return true;
  return ssl.rejectUnauthorized !== false && ssl.checkServerIdentity === undefined;
}

async function look(databaseUrl: string, setting: keyof DatabaseUrls): Promise<Seen> {
  let client: Client & { readonly processID?: number };
  try {
    client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  } catch (error) {
    const { code, path: file } = error as NodeJS.ErrnoException;
    if (file !== undefined)
      throw new SetupError(`${setting}: the file ${file} that it names cannot be read (${code}).`);
    throw new SetupError(
      `${setting} is no URL of a Postgres database. It looks like postgres://user:password@host:5432/database.`,
    );
  }
  if (!checksCertificates(client))
    throw new SetupError(
      `${setting} switches off that the certificate of Postgres is checked: whoever is on the way could read and change everything. Take uselibpqcompat and sslmode=no-verify out of it (and PGSSLMODE out of the environment), and say sslmode=verify-full; where the authority is not a public one, its certificate with sslrootcert=/path/to/ca.pem.`,
    );
  // Of a URL that lacks a slash everything is taken for the name of a database.
  const place = withoutCredentials(`${client.host}:${client.port}/${client.database}`);
  try {
    await client.connect();
    const answer = await client.query<{ version: number; pid: number; database: string }>(
      `select current_setting('server_version_num')::int / 10000 as version, pg_backend_pid() as pid,
              oid || ' ' || extract(epoch from pg_postmaster_start_time()) as database
       from pg_database where datname = current_database()`,
    );
    const { version = 0, pid, database = '' } = answer.rows[0] ?? {};
    if (version < leastVersion)
      throw new SetupError(`${setting}: ${place} is Postgres ${version}; ${leastVersion} or newer is needed.`);
    return { place, version, pooled: client.processID !== pid, database };
  } catch (error) {
    if (error instanceof SetupError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === '28P01' || code === '28000'
        ? 'the user or password is refused'
        : code === '3D000'
          ? 'there is no such database; create it first'
          : `it does not answer (${code ?? message})`;
    throw new SetupError(
      `${setting}: the Postgres at ${place} cannot be used: ${why}. Start it, correct ${setting}${setting === 'DATABASE_URL' ? ', or leave it unset to use the embedded one' : ''}.`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
