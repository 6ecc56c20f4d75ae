import type { Pool } from 'pg';
import { eventstorePlace } from '#cli/database.ts';
import { type Check, type Finding, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { LogExchanged, loadCheckpoints, verifyCheckpoints } from '#projector/checkpoints.ts';
import { generationOf, liveGeneration } from '#projector/generations.ts';
import { projections } from '#projector/projections.ts';
import { logIdOf } from '#shared/event-log/position.ts';
import { decodeEvent, UndecodableEvent } from '#shared/events/codec.ts';

const group = 'log';
const belongTogether =
  'Before that, check that EVENTSTORE_URL, EVENTSTORE_STREAM_PREFIX and DATABASE_URL lead to servers that belong together.';
/** Whoever plans an append works it off at once. */
const plannedSeconds = 60;

export function logChecks({ config, foundLog, log, migrated }: Installation): Check[] {
  return [
    {
      group,
      name: 'reachable',
      async run() {
        const found = await foundLog();
        const set = await config();
        const place = set.EVENTSTORE_URL ? eventstorePlace(set) : 'the table in Postgres';
        if (!found) return ok(`${place} has no log of ours yet: the first start makes it`);
        const { serverVersion } = found;
        return ok(`log ${found.log.id}, ${place}${serverVersion === null ? '' : `, version ${serverVersion}`}`);
      },
    },
    {
      group,
      name: 'end',
      async run() {
        const found = await log();
        const head = await found.head();
        if (head === found.start) return ok('no events yet');
        const event = await found.readAt(head);
        if (!event) return ok(`at ${head}, an event of others`);
        try {
          decodeEvent(event);
        } catch (error) {
          if (!(error instanceof UndecodableEvent)) throw error;
          return failed(
            `The last event of the log, at ${head}, cannot be read: ${error.message}.`,
            'A newer version of Cool Mint has recorded it: use that version for all processes.',
          );
        }
        return ok(`at ${head}, recorded ${event.metadata.recordedAt}`);
      },
    },
    {
      group,
      name: 'log of the views',
      async run() {
        const pool = await migrated();
        if ((await foundLog()) === null) return withoutLog(pool);
        const found = await log();
        const client = await pool.connect();
        try {
          let built = 0;
          for (const projection of projections) {
            const live = await liveGeneration(client, projection.name);
            if (!live) continue;
            built++;
            const checkpoints = await loadCheckpoints(client, generationOf(projection, live.generation));
            await verifyCheckpoints(found, projection.name, checkpoints);
          }
          return built === 0 ? skipped('no view was built yet') : ok('the views were built from this log');
        } catch (error) {
          if (error instanceof LogExchanged) return failed(error.message, belongTogether);
          throw error;
        } finally {
          client.release();
        }
      },
    },
    {
      group,
      name: 'planned appends',
      async run() {
        const pool = await migrated();
        const { rows } = await pool.query<{ plans: number; seconds: number | null }>(
          `select count(*)::int as plans, extract(epoch from clock_timestamp() - min(planned_at))::float as seconds
           from command.planned_appends`,
        );
        const { plans = 0, seconds = null } = rows[0] ?? {};
        if (seconds === null || seconds < plannedSeconds) return ok(`${plans} under way`);
        return warning(
          `${plans} appends that were planned wait since ${Math.round(seconds)} seconds: a process ended in the middle of them.`,
          'Restart a command service (or npm start): it completes them at its start.',
        );
      },
    },
  ];
}

/** There is no log where the settings lead to; there must be no views then, either. */
async function withoutLog(pool: Pool): Promise<Finding> {
  const { rows } = await pool.query<{ position: string }>('select position from projector.checkpoints limit 1');
  const [built] = rows;
  return built
    ? failed(
        `EVENTSTORE_URL: the views were built from log ${logIdOf(built.position)}, and there is no log of ours where the settings lead to.`,
        'Correct EVENTSTORE_URL and EVENTSTORE_STREAM_PREFIX. If the log is lost, restore it (npx cool-mint restore) before anything is started: a start would begin another one.',
      )
    : skipped('no view was built yet');
}
