import { Client } from 'pg';
import { SetupError } from '#shared/errors/setup-error.ts';

const leastVersion = 15;

/** Throws a SetupError that names the setting where the configured database cannot be used. */
export async function checkDatabase(databaseUrl: string, setting: string): Promise<void> {
  let client: Client;
  try {
    client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  } catch {
    throw new SetupError(
      `${setting} is no URL of a Postgres database. It looks like postgres://user:password@host:5432/database.`,
    );
  }
  const place = `${client.host}:${client.port}/${client.database}`;
  try {
    await client.connect();
    const answer = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::int / 10000 as version",
    );
    const version = answer.rows[0]?.version ?? 0;
    if (version < leastVersion)
      throw new SetupError(`${setting}: ${place} is Postgres ${version}; ${leastVersion} or newer is needed.`);
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
      `${setting}: the Postgres at ${place} cannot be used: ${why}. Start it, correct ${setting}, or leave it unset to use the embedded one.`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
