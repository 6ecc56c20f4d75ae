import { type Check, failed, ok, warning } from '#cli/doctor/check.ts';
import type { Machine } from '#cli/doctor/checks.ts';
import { nearestFolder } from '#cli/doctor/environment.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { bytes } from '#cli/output.ts';

const group = 'disk';
const leastFraction = 0.1;
/** Postgres stops when its disk is full. */
const leastBytes = 200_000_000;

export function diskChecks({ config, migrated }: Installation, { freeSpace }: Machine): Check[] {
  return [
    {
      group,
      name: 'data folder',
      async run() {
        const { DATA_DIR } = await config();
        const { free, total } = await freeSpace(await nearestFolder(DATA_DIR));
        const text = `${bytes(free)} of ${bytes(total)} are free`;
        const advice = 'Free some space, or move the data folder (DATA_DIR) to a larger disk.';
        if (free < leastBytes) return failed(`On the disk of ${DATA_DIR} only ${text}.`, advice);
        return free < total * leastFraction ? warning(`On the disk of ${DATA_DIR} only ${text}.`, advice) : ok(text);
      },
    },
    {
      group,
      name: 'database',
      async run() {
        const [pool, { DATABASE_URL, DATA_DIR }] = [await migrated(), await config()];
        const { rows } = await pool.query<{ whole: string; largest: string }>(
          `select pg_database_size(current_database()) as whole,
                  coalesce((select sum(pg_total_relation_size(c.oid)) as size
                            from pg_class c join pg_namespace n on n.oid = c.relnamespace
                              join projector.generations g on n.nspname = g.projection || '_g' || g.generation
                            where c.relkind = 'r' group by n.nspname order by 1 desc limit 1), 0) as largest`,
        );
        const [whole, largest] = [Number(rows[0]?.whole), Number(rows[0]?.largest)];
        const text = `${bytes(whole)}; a rebuild needs up to ${bytes(largest)} more`;
        // The disk of a server elsewhere cannot be seen from here.
        if (DATABASE_URL) return ok(text);
        const { free } = await freeSpace(DATA_DIR);
        return free > largest + leastBytes
          ? ok(text)
          : warning(`The database takes ${text}, and ${bytes(free)} are free.`, 'Free some space before a rebuild.');
      },
    },
  ];
}
