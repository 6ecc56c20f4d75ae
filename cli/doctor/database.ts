import { type Check, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import type { Work } from '#shared/postgres/installation-lock.ts';
import { pendingMigrations } from '#shared/postgres/migrate.ts';

const group = 'database';
/** Of a process that does everything: its pool (12), that of the read model (8), one that listens, one to migrate. */
const sessionsOfProcess = 23;

const workWords: Readonly<Record<Work, { readonly verb: string; readonly verbs: string; readonly service: string }>> = {
  commands: { verb: 'take commands', verbs: 'takes commands', service: 'a command-service' },
  queries: { verb: 'answer queries', verbs: 'answers queries', service: 'a query-service' },
  relay: { verb: 'relay', verbs: 'relays the log to Kafka', service: 'a projector' },
  apply: { verb: 'apply', verbs: 'applies the log to the views', service: 'a projector' },
};

export function databaseChecks({ config, foundDatabase, database, migrated, work }: Installation): Check[] {
  return [
    {
      group,
      name: 'reachable',
      async run() {
        const { place, version, pooled } = await foundDatabase();
        return ok(
          `Postgres ${version} at ${place}${pooled ? ', through a pooler; DATABASE_DIRECT_URL leads past it' : ''}`,
        );
      },
    },
    {
      group,
      name: 'sessions',
      async run() {
        await database();
        return (await foundDatabase()).directPooled
          ? warning(
              'DATABASE_DIRECT_URL leads to a pooler, too.',
              'Name the Postgres behind it, or make sure that the pooler gives each client a session of its own: else notifications are lost, and migrations may fail.',
            )
          : ok('notifications and migrations have sessions of their own');
      },
    },
    {
      group,
      name: 'migrations',
      async run() {
        const pool = await database();
        const { rows } = await pool.query<{ there: boolean }>(
          "select to_regclass('migration.applied') is not null as there",
        );
        if (!rows[0]?.there) return ok('none yet: the first start makes the tables');
        const pending = await pendingMigrations(pool);
        return pending.length === 0
          ? ok('all of this version')
          : warning(
              `This version has migrations that were not applied yet: ${pending.map(({ name }) => name).join(', ')}.`,
              'Back up (npx cool-mint backup), then start this version: whichever process is first applies them.',
            );
      },
    },
    {
      group,
      name: 'encoding',
      async run() {
        const pool = await database();
        const { rows } = await pool.query<{ encoding: string; made: string | null; now: string | null }>(
          `select pg_encoding_to_char(encoding) as encoding, datcollversion as made,
                  pg_database_collation_actual_version(oid) as now
           from pg_database where datname = current_database()`,
        );
        const { encoding = '', made = null, now = null } = rows[0] ?? {};
        if (encoding !== 'UTF8')
          return failed(
            `DATABASE_URL: the encoding of the database is ${encoding}; texts of activities need UTF8.`,
            "Create another database (create database cool_mint encoding 'UTF8' template template0) and name that one.",
          );
        if (made !== null && now !== null && made !== now)
          return warning(
            `The database sorts by version ${made} of its collation, the machine of Postgres has ${now}: indexes of texts may be wrong.`,
            'While Cool Mint is stopped: reindex database, then alter database … refresh collation version.',
          );
        return ok('UTF8');
      },
    },
    {
      group,
      name: 'durability',
      async run() {
        const pool = await database();
        const { rows } = await pool.query<{ name: string }>(
          `select name from pg_settings
           where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`,
        );
        if (rows.length === 0) return ok('what is recorded survives a power cut');
        return warning(
          `Postgres has ${rows.map(({ name }) => `${name} = off`).join(', ')}: what was recorded may be lost in a power cut.`,
          'Set them to on in postgresql.conf, unless the data is of no worth.',
        );
      },
    },
    {
      group,
      name: 'connections',
      async run() {
        const pool = await database();
        const { rows } = await pool.query<{ most: number; used: number; allowed: number }>(
          `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most,
                  (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
                  (select rolconnlimit from pg_roles where rolname = current_user) as allowed`,
        );
        const { most = 0, used = 0, allowed = -1 } = rows[0] ?? {};
        const limit = allowed >= 0 ? Math.min(most, allowed) : most;
        const text = `${used} of ${limit} in use`;
        if (limit >= sessionsOfProcess && (used < limit * 0.9 || limit - used > sessionsOfProcess)) return ok(text);
        return warning(
          `${text}; a process takes up to ${sessionsOfProcess}.`,
          'Raise max_connections in postgresql.conf (or the limit of the role), or put a pooler before it: DATABASE_URL to the pooler, DATABASE_DIRECT_URL past it.',
        );
      },
    },
    {
      group,
      name: 'rights',
      async run() {
        const pool = await migrated();
        const { rows } = await pool.query<{ missing: string | null; may_create: boolean }>(
          `select string_agg(name, ', ') filter (where not (has_table_privilege(name, 'select') and has_table_privilege(name, 'insert')
                    and has_table_privilege(name, 'update') and has_table_privilege(name, 'delete'))) as missing,
                  has_database_privilege(current_database(), 'create') as may_create
           from unnest(array['command.planned_appends', 'command.sync_leases', 'projector.checkpoints', 'projector.relay']) as name`,
        );
        const { missing = null, may_create: mayCreate = false } = rows[0] ?? {};
        if (missing === null && mayCreate) return ok('the user may write, and make generations of views');
        return failed(
          missing === null
            ? 'DATABASE_URL: the user may not create schemas in this database; a rebuild needs that.'
            : `DATABASE_URL: the user may not write to ${missing}.`,
          'Use the user who owns the tables, or grant these rights.',
        );
      },
    },
    {
      group,
      name: 'processes',
      async run() {
        const done = await work();
        if (done.size === 0) return skipped('no process of Cool Mint has a session here now');
        const { KAFKA_BROKERS } = await config();
        const needed = [...done].filter(([each]) => each !== 'relay' || KAFKA_BROKERS);
        const nobody = needed.filter(([, processes]) => processes === 0).map(([each]) => workWords[each]);
        if (nobody.length === 0)
          return ok(`at work: ${needed.map(([each, processes]) => `${processes} ${workWords[each].verb}`).join(', ')}`);
        return failed(
          `Of the processes that are at work on this database none ${nobody.map(({ verbs }) => verbs).join(', none ')}.`,
          `Start what is missing: ${[...new Set(nobody.map(({ service }) => service))].join(', ')}. Where it was started, its log says why it ended.`,
        );
      },
    },
  ];
}
