/**
 * A mark in the database from before a restore writes anything until all of it is there, so that what a restore which
 * was cut has left is not taken for an installation.
 */
import type { ClientBase, Pool } from 'pg';
import { SetupError } from '#shared/errors/setup-error.ts';

export async function markRestore(client: ClientBase, place: string): Promise<void> {
  await client.query(
    'insert into installation.restore (id, place) values (1, $1) on conflict (id) do update set place = excluded.place',
    [place],
  );
}

/** The caller's transaction. */
export async function unmarkRestore(client: ClientBase): Promise<void> {
  await client.query('delete from installation.restore');
}

/** Throws a SetupError where a restore was cut, or is under way. The database may be one that was never migrated. */
export async function refuseCutRestore(client: Pick<ClientBase | Pool, 'query'>): Promise<void> {
  const there = await client.query<{ any: boolean }>("select to_regclass('installation.restore') is not null as any");
  if (!there.rows[0]?.any) return;
  const answer = await client.query<{ place: string; begun: string }>(
    `select place, to_char(begun_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as begun from installation.restore`,
  );
  const [mark] = answer.rows;
  if (mark)
    throw new SetupError(
      `A restore of ${mark.place}, begun ${mark.begun}, has not ended: only a part of it is here. Run the same command again, and it goes on where it was:\n  npx cool-mint restore --from ${mark.place}\nOr use another, empty database (DATABASE_URL, DATA_DIR).`,
    );
}
