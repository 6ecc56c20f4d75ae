import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { query } from '#shared/postgres/embedded/running-server.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
  stopLeftOverPostgres,
} from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { testDatabaseUrl, testFsync } from './config.ts';
import { urlOf } from './test-database.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's URL of the server that all test files of this run share. */
    postgresUrl: string;
    /** The migrated, empty database that each test database is a copy of. */
    templateDatabase: string;
  }
}

const prefix = 'cool-mint-test-postgres-';
const template = `cool_mint_template_${randomUUID().slice(0, 8)}`;
let dataDir: string | undefined;
let server: EmbeddedPostgres | undefined;
let url: string;

async function startOwn(): Promise<string> {
  await removeLeftOvers();
  dataDir = join(tmpdir(), prefix + randomUUID());
  const log = { info: () => {}, warn: console.warn, error: console.error };
  server = await startEmbeddedPostgres({ dataDir, log, durable: testFsync() });
  return server.url;
}

/** Vitest runs this once before all test files. */
export async function setup(project: TestProject): Promise<void> {
  url = testDatabaseUrl() ?? (await startOwn());
  await query(url, `CREATE DATABASE ${template}`);
  await migrate(urlOf(url, template));
  // Nobody may connect: a database can be copied only while no one uses it.
  await query(url, `ALTER DATABASE ${template} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  project.provide('postgresUrl', url);
  project.provide('templateDatabase', template);
}

/** Vitest runs this once after all test files. */
export async function teardown(): Promise<void> {
  if (server) await server.stop();
  else {
    await query(url, `ALTER DATABASE ${template} WITH IS_TEMPLATE false`);
    await query(url, `DROP DATABASE ${template} WITH (FORCE)`);
  }
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
}

/** Runs that were killed leave a server and its folder; a run that still goes holds the lock of its folder. */
async function removeLeftOvers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmpdir(), name);
    try {
      await stopLeftOverPostgres({ dataDir: path });
      await rm(path, { recursive: true, force: true });
    } catch {
      // In use by another run, or another user's.
    }
  }
}
