/**
 * What a real Compose makes of the files: the Python one that Debian packages, which knows profiles, merges and variables, but not
 * the key `name`. It puts files together as our own reading of them does (testing/compose.ts), which the other tests rely on.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ComposeFile, type ComposeName, composed } from './testing/compose.ts';
import { projectRoot } from './testing/project-root.ts';

const names: readonly ComposeName[] = ['docker-compose.yml', 'docker-compose.dev.yml', 'docker-compose.production.yml'];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-compose-'));
  for (const name of names) {
    const text = await readFile(path.join(projectRoot, name), 'utf8');
    await writeFile(path.join(folder, name), text.replace(/^name: .*$/m, ''));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function configured(files: readonly ComposeName[], env: Record<string, string> = {}): Promise<ComposeFile> {
  const { PATH, HOME } = process.env;
  const args = [...files.flatMap((file) => ['-f', file]), 'config'];
  try {
    const { stdout } = await promisify(execFile)('docker-compose', args, {
      cwd: folder,
      env: { PATH, HOME, COMPOSE_PROJECT_NAME: 'cool-mint', ...env },
    });
    return parse(stdout) as ComposeFile;
  } catch (error) {
    if ((error as { code: unknown }).code === 'ENOENT')
      throw new Error('These tests need docker-compose on the PATH: apt-get install docker-compose.');
    throw error;
  }
}

test.each([
  [['docker-compose.yml']],
  [['docker-compose.yml', 'docker-compose.dev.yml']],
  [['docker-compose.yml', 'docker-compose.production.yml']],
] as const)('%j are one file to it, the one that our tests look at', async (files) => {
  const [theirs, ours] = [await configured(files), await composed(...files)];
  expect(Object.keys(theirs.services).sort()).toEqual(Object.keys(ours.services).sort());
  for (const [
    name,
    { image, environment, command, profiles, secrets = [], networks = [], cap_drop: drop },
  ] of Object.entries(ours.services)) {
    const other = theirs.services[name];
    const named = (list: readonly unknown[] = []) =>
      list.map((each) => (typeof each === 'string' ? each : (each as { source: string }).source)).sort();
    // It doubles the dollars of what it prints.
    const printed = JSON.parse(JSON.stringify(other?.command ?? null).replaceAll('$$', '$'));
    expect([name, other?.image, other?.environment, printed]).toEqual([name, image, environment, command ?? null]);
    expect([name, other?.profiles, other?.cap_drop]).toEqual([name, profiles, drop]);
    expect(named(other?.secrets)).toEqual([...secrets].sort());
    expect(Object.keys(other?.networks ?? {}).sort()).toEqual([...networks].sort());
  }
});

test('variables of the one who starts it arrive where they are read', async () => {
  const { services } = await configured(['docker-compose.yml'], {
    POSTGRES_PASSWORD: 'hush',
    KAFKA_TOPIC: 'after-a-restore',
    AUTH_JWKS_URL: 'https://id.example/keys',
    BACKUP_TO: 's3://bucket/mint',
    BACKUP_EVERY: '30m',
    AWS_REGION: 'eu-west-1',
    MINT_TOKEN: 'a.b.c',
    DOCKER_CONTAINERS: '/home/me/containers',
  });
  expect(services['projector']?.environment).toMatchObject({
    DATABASE_URL: 'postgres://cool_mint:hush@pgbouncer:6432/cool_mint',
    KAFKA_TOPIC: 'after-a-restore',
  });
  expect(services['query-service']?.environment).toMatchObject({ AUTH_JWKS_URL: 'https://id.example/keys' });
  expect(services['backup']?.command).toEqual(['backup', '--to', 's3://bucket/mint', '--every', '30m']);
  expect(services['backup']?.environment).toMatchObject({ AWS_REGION: 'eu-west-1' });
  expect(services['cool-mint']?.environment).toMatchObject({ MINT_TOKEN: 'a.b.c', KAFKA_TOPIC: 'after-a-restore' });
  expect(JSON.stringify(services['log-reader'])).toContain('/home/me/containers');
});
