import type { Pool } from 'pg';
import { type Check, failed, ok, skipped, warning } from '#cli/doctor/check.ts';
import type { Installation } from '#cli/doctor/installation.ts';
import { motionTo } from '#cli/doctor/moving.ts';
import { liveGeneration } from '#projector/generations.ts';
import { projections } from '#projector/projections.ts';
import { logIdOf } from '#shared/event-log/position.ts';

const group = 'projections';

export function projectionChecks({ migrated, log, atWork }: Installation): Check[] {
  return projections.map(({ name, version }) => ({
    group,
    name,
    async run() {
      const pool = await migrated();
      const client = await pool.connect();
      const live = await liveGeneration(client, name).finally(() => client.release());
      const works = await atWork();
      const start = 'Start a projector (npx cool-mint start projector), or everything in one process (npm start).';
      if (!live)
        return works
          ? warning(`The projection ${name} was never built.`, start)
          : skipped('not built yet: the first start does');
      if (live.version !== version)
        return warning(
          `Generation ${live.generation} was made by version ${live.version} of the projection; this Cool Mint has version ${version}.`,
          'It answers as it did when it was made, and stands still. A projector of this version builds its own beside it; npx cool-mint status shows how far it is.',
        );
      const events = await log();
      const head = await events.head();
      const lowest = () => lowestCheckpoint(pool, name, live.generation);
      const first = await lowest();
      if (logIdOf(first) !== events.id) return skipped('built from another log: see "log of the views"');
      const motion = await motionTo(head, lowest);
      const text = `generation ${live.generation}, version ${live.version}`;
      if (motion === 'there') return ok(`${text}, up to the end of the log`);
      if (motion === 'moving') return ok(`${text}, behind the end of the log, and moving`);
      const stands = `The projection ${name} does not move: it stands at ${first}, the log reaches ${head}.`;
      return works
        ? failed(stands, 'Look at the log of the projector and at its /health/ready: they say what it waits for.')
        : warning(stands, start);
    },
  }));
}

async function lowestCheckpoint(pool: Pool, projection: string, generation: number): Promise<string> {
  const { rows } = await pool.query<{ position: string | null }>(
    'select min(position) as position from projector.checkpoints where projection = $1 and generation = $2',
    [projection, generation],
  );
  return rows[0]?.position ?? '';
}
