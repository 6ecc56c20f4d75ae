import { Client } from 'pg';
import { expect, test } from 'vitest';
import { columnsOfAll, undecided } from '#shared/backup/table-rows.ts';
import { rowsTables, tableDecisions } from '#shared/backup/tables.ts';
import { createTestDatabase } from '#shared/testing/test-database.ts';

test('of every table that the migrations make it is decided whether a backup holds it, and of no other', async () => {
  const database = await createTestDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    const columns = await columnsOfAll(client);
    expect([...columns.keys()].sort()).toEqual(Object.keys(tableDecisions).sort());
    expect(undecided(columns.keys())).toEqual([]);
    for (const { table, time } of rowsTables)
      if (time !== null) expect(columns.get(table)).toContainEqual({ name: time, type: 'timestamp with time zone' });
    await client.query('create table command.saved_filters (id int); create schema catalog_g7');
    await client.query('create table catalog_g7.activities (id int); create table public.of_others (id int)');
    expect(undecided((await columnsOfAll(client)).keys())).toEqual(['command.saved_filters']);
  } finally {
    await client.end();
    await database.drop();
  }
});
