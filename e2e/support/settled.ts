/** Resolves when every slot of every live projection has reached the position; in time, else it says what has not. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Position } from '#shared/event-log/position.ts';

export async function settled(pool: Pool, position: Position, patienceMilliseconds = Infinity): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const { rows } = await pool.query(
      `select p.name, c.* from projector.projections p
         join projector.checkpoints c on c.projection = p.name and c.generation = p.live_generation
       where c.position < $1`,
      [position],
    );
    if (rows.length === 0) return;
    if (performance.now() - begun > patienceMilliseconds)
      throw new Error(`not applied up to ${position}: ${JSON.stringify(rows.slice(0, 10))}, ${rows.length} in all`);
    await wait(10);
  }
}
