import { type Check, type Finding, failed, NotThere, ok, warning } from '#cli/doctor/check.ts';
import type { Machine } from '#cli/doctor/checks.ts';
import type { Installation } from '#cli/doctor/installation.ts';

const group = 'clock';
const warnedSeconds = 2;
const failedSeconds = 60;
const answerMilliseconds = 5_000;

export function clockChecks({ database, api }: Installation, { now }: Machine): Check[] {
  return [
    {
      group,
      name: 'database',
      async run() {
        const pool = await database();
        // Once for the connection: the way there is part of what is not known.
        await pool.query('select 1');
        const before = now();
        const { rows } = await pool.query<{ ms: number }>(
          'select extract(epoch from clock_timestamp())::float * 1000 as ms',
        );
        return judged(rows[0]?.ms ?? 0, before, now(), 'the database');
      },
    },
    {
      group,
      name: 'API',
      async run() {
        const { url } = await api();
        const before = now();
        const answer = await fetch(`${url}/api/openapi.json`, {
          method: 'HEAD',
          redirect: 'error',
          signal: AbortSignal.timeout(answerMilliseconds),
        }).catch(() => {
          throw new NotThere('the API does not answer');
        });
        const told = Date.parse(answer.headers.get('date') ?? '');
        if (Number.isNaN(told)) throw new NotThere('the API does not say what time it is');
        // It tells whole seconds, and may keep what it tells for one.
        return judged(told, before - 2_000, now(), 'the API');
      },
    },
  ];
}

/** Their time was read between two times of ours. */
function judged(theirs: number, before: number, after: number, whose: string): Finding {
  const off = theirs < before ? theirs - before : theirs > after ? theirs - after : 0;
  const seconds = Math.abs(off) / 1_000;
  if (seconds <= warnedSeconds) return ok('the same as here');
  const text = `The clock of this machine is ${seconds.toFixed(0)} s ${off > 0 ? 'behind' : 'ahead of'} that of ${whose}.`;
  const advice =
    'Let all machines follow a time server (NTP): tokens, leases and the times of events depend on their clocks.';
  return seconds > failedSeconds ? failed(text, advice) : warning(text, advice);
}
