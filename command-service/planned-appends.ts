/**
 * Appends that are too large for one call: the events are written whole to a work table, committed before the first
 * of them is appended, then appended in calls of at most 1 MiB. Whoever finds a plan completes it, by repeating it:
 * ids and expectations are fixed, so what is there already answers as the first time.
 */
import type { Pool } from 'pg';
import { serialiseEvent } from '#shared/event-log/event-bytes.ts';
import { type EventLog, type Expected, maxAppendBytes, type NewEvent } from '#shared/event-log/event-log.ts';

/** Cuts events into runs that one append takes. */
export function appendableRuns(events: readonly NewEvent[]): NewEvent[][] {
  const runs: NewEvent[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const event of events) {
    const size = serialiseEvent(event).bytes;
    if (bytes + size > maxAppendBytes) {
      runs.push([]);
      bytes = 0;
    }
    runs.at(-1)?.push(event);
    bytes += size;
  }
  return runs;
}

/** False: there is a plan for this stream already. */
export async function planAppend(
  pool: Pool,
  tenant: string,
  stream: string,
  expected: Expected,
  events: readonly NewEvent[],
): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const planned = await client.query(
      'insert into command.planned_appends (stream, tenant, expected) values ($1, $2, $3) on conflict do nothing',
      [stream, tenant, expected === 'none' ? -1 : expected],
    );
    if (planned.rowCount === 1)
      await client.query(
        'insert into command.planned_events (stream, place, event) select $1, e.place, e.event::json from unnest($2::text[]) with ordinality as e (event, place)',
        [stream, events.map((event) => JSON.stringify(event))],
      );
    await client.query('commit');
    return planned.rowCount === 1;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

/**
 * Appends what is planned for a stream, and forgets the plan. A conflict means that the entity was changed meanwhile
 * (an unfinished selection may be discarded): then the rest is given up.
 */
export async function completePlannedAppend(pool: Pool, log: EventLog, stream: string): Promise<void> {
  const plan = await pool.query<{ expected: string; event: NewEvent }>(
    `select p.expected, e.event from command.planned_appends p join command.planned_events e on e.stream = p.stream
     where p.stream = $1 order by e.place`,
    [stream],
  );
  let expected = Number(plan.rows[0]?.expected);
  for (const run of appendableRuns(plan.rows.map((row) => row.event))) {
    const [result] = await log.append([{ stream, expected: expected === -1 ? 'none' : expected, events: run }]);
    if (result?.outcome !== 'appended') break;
    expected += run.length;
  }
  await pool.query('delete from command.planned_appends where stream = $1', [stream]);
}

/** At start: completes what a server that died has left. Answers how many plans there were. */
export async function completePlannedAppends(pool: Pool, log: EventLog): Promise<number> {
  const plans = await pool.query<{ stream: string }>('select stream from command.planned_appends order by planned_at');
  for (const { stream } of plans.rows) await completePlannedAppend(pool, log, stream);
  return plans.rows.length;
}
