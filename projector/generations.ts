/** Generations of a projection: making the tables of one, finding the live one, dropping those that nobody needs. */
import type { ClientBase } from 'pg';
import { type Projection, schemaOf, tablesOf } from '#projector/projection.ts';
import type { Table } from '#projector/table.ts';
import type { Position } from '#shared/event-log/position.ts';
import { allSlots } from '#shared/transport/slot.ts';

export interface Generation {
  readonly projection: Projection;
  readonly number: number;
  readonly schema: string;
}

export interface LiveGeneration {
  readonly generation: number;
  readonly version: number;
}

/** Held by every batch in shared mode, by a swap exclusively; released with the transaction. */
export async function lockProjection(
  client: ClientBase,
  projection: string,
  mode: 'shared' | 'exclusive',
): Promise<void> {
  await client.query(`select pg_advisory_xact_lock${mode === 'shared' ? '_shared' : ''}(hashtextextended($1, 4402))`, [
    projection,
  ]);
}

export async function liveGeneration(client: ClientBase, projection: string): Promise<LiveGeneration | null> {
  const answer = await client.query<LiveGeneration>(
    `select p.live_generation as generation, g.version
     from projector.projections p
       join projector.generations g on g.projection = p.name and g.generation = p.live_generation
     where p.name = $1`,
    [projection],
  );
  return answer.rows[0] ?? null;
}

export const generationOf = (projection: Projection, number: number): Generation => ({
  projection,
  number,
  schema: schemaOf(projection.name, number),
});

/** DDL of one table; in a schema of the caller's choice. */
export function tableDdl(schema: string, table: Table): string[] {
  const columns = [
    ...Object.entries(table.columns).map(
      ([name, type]) =>
        `${name} ${type}${type === 'text' && name === 'position' ? ' collate "C"' : ''}${table.key.includes(name) ? ' not null' : ''}`,
    ),
    ...Object.entries(table.generated ?? {}).map(([name, type]) => `${name} ${type}`),
    `primary key (${table.key.join(', ')})`,
  ];
  return [
    `create table ${schema}.${table.name} (${columns.join(', ')})`,
    ...table.indexes.map((index) => `create index on ${schema}.${table.name} ${index}`),
  ];
}

/** Makes the schema, tables and checkpoints of a generation, at the start of the log. In the caller's transaction. */
export async function createGeneration(
  client: ClientBase,
  projection: Projection,
  state: 'building' | 'live',
  start: Position,
  rebuildId: string | null,
): Promise<Generation> {
  const answer = await client.query<{ next: number }>(
    'select coalesce(max(generation), 0) + 1 as next from projector.generations where projection = $1',
    [projection.name],
  );
  const generation = generationOf(projection, answer.rows[0]?.next ?? 1);
  await client.query(
    'insert into projector.generations (projection, generation, version, state, rebuild_id) values ($1, $2, $3, $4, $5)',
    [projection.name, generation.number, projection.version, state, rebuildId],
  );
  await client.query(`create schema ${generation.schema}`);
  for (const table of tablesOf(projection))
    for (const statement of tableDdl(generation.schema, table)) await client.query(statement);
  await client.query(
    `insert into projector.checkpoints (projection, generation, slot, position)
     select $1, $2, slot, $4 from unnest($3::smallint[]) as slot`,
    [projection.name, generation.number, allSlots, start],
  );
  return generation;
}

/** The live generation, made where there is none yet. In a transaction of its own. */
export async function ensureLiveGeneration(
  client: ClientBase,
  projection: Projection,
  start: Position,
): Promise<LiveGeneration> {
  await client.query('begin');
  try {
    await lockProjection(client, projection.name, 'exclusive');
    let live = await liveGeneration(client, projection.name);
    if (!live) {
      const made = await createGeneration(client, projection, 'live', start, null);
      await client.query('insert into projector.projections (name, live_generation) values ($1, $2)', [
        projection.name,
        made.number,
      ]);
      live = { generation: made.number, version: projection.version };
    }
    await client.query('commit');
    return live;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** Drops a generation's tables, rows and checkpoints. In the caller's transaction. */
export async function dropGeneration(client: ClientBase, projection: string, generation: number): Promise<void> {
  await client.query(`drop schema if exists ${schemaOf(projection, generation)} cascade`);
  await client.query('delete from projector.generations where projection = $1 and generation = $2', [
    projection,
    generation,
  ]);
}
