import { expect, inject, test } from 'vitest';
import { query } from '#shared/postgres/embedded/running-server.ts';
import { createTestDatabase } from './test-database.ts';

test('test databases are migrated, empty, separate, and gone after drop, even with a connection open', async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  try {
    expect((await query(one.url, 'SELECT 1 FROM migration.applied')).length).toBeGreaterThan(0);
    await query(one.url, 'CREATE TABLE only_here ()');
    expect(await query(two.url, "SELECT to_regclass('only_here') AS found")).toEqual([{ found: null }]);
  } finally {
    const sleeping = query(one.url, 'SELECT pg_sleep(60)').catch((error: { code?: string }) => error.code);
    await expect
      .poll(() => query(one.url, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"))
      .toHaveLength(1);
    await one.drop();
    await two.drop();
    expect(await sleeping).toBe('57P01');
  }
  const names = [one.url, two.url].map((url) => `'${new URL(url).pathname.slice(1)}'`);
  const left = `SELECT 1 FROM pg_database WHERE datname IN (${names.join(', ')})`;
  expect(await query(inject('postgresUrl'), left)).toEqual([]);
});
