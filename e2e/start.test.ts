import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { type ReadyLine, startService, stopProcess } from './support/service-process.ts';

const activities = 600;

let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-start-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) await stopProcess(child, 'SIGKILL');
  await stopLeftOverPostgres({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

function start(env: Record<string, string> = {}) {
  const service = startService(dataDir, { DEMO_ACTIVITIES: String(activities), ...env });
  children.push(service.child);
  return service;
}

async function api(ready: ReadyLine, route: string) {
  const token = (await readFile(ready.tokenFile, 'utf8')).trim();
  const response = await fetch(`${ready.url}${route}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, body: (await response.json()) as { total: { value: number }; data: unknown[] } };
}

describe('npm start', () => {
  test('loads demo data once, says where to look, stops cleanly, and goes on with the same data within ten seconds', async () => {
    const first = start();
    const ready = await first.ready;
    expect((await api(ready, '/api/v1/activities')).body.total.value).toBe(activities);
    expect((await stat(ready.tokenFile)).mode & 0o777).toBe(0o600);
    const token = (await readFile(ready.tokenFile, 'utf8')).trim();
    const told = `${first.lines.join('\n')}${first.errors.join('')}`;
    expect(told).not.toContain(token);
    expect(told).not.toContain('postgres://');
    expect((await fetch(`${ready.adminUrl}/health/live`)).status).toBe(200);
    expect((await fetch(`${ready.adminUrl}/health/ready`)).status).toBe(200);
    expect(await (await fetch(`${ready.adminUrl}/metrics`)).text()).toContain('cool_mint_projection_events_total');
    expect(await (await fetch(ready.url)).text()).toContain('npx cool-mint token');
    const pidFile = path.join(dataDir, 'postgres', 'postmaster.pid');
    await stat(pidFile);
    expect(await stopProcess(first.child)).toBe(0);
    await expect(stat(pidFile)).rejects.toThrow(/ENOENT/);
    await expect(stat(path.join(dataDir, 'service.json'))).rejects.toThrow(/ENOENT/);

    const began = performance.now();
    const again = await start().ready;
    expect(performance.now() - began).toBeLessThan(10_000);
    const runs = await api(again, '/api/v1/sync-runs');
    expect(runs.body.total.value).toBe(1);
    expect((await api(again, '/api/v1/activities')).body.total.value).toBe(activities);
  }, 60_000);

  // From before Postgres is made to the middle of the demo data; what is printed marks the moments.
  test.each([
    ['as the first thing', () => true],
    ['while the cluster is made', (lines: readonly string[], ms: number) => lines.length > 0 || ms > 400],
    [
      'when Postgres is up',
      (lines: readonly string[]) => lines.some((line) => line.includes('embedded Postgres is up')),
    ],
    ['when the database is migrated', (lines: readonly string[]) => lines.some((line) => line.includes('migrated'))],
    ['when it listens', (lines: readonly string[]) => lines.some((line) => line.includes('listening'))],
    [
      'in the middle of the demo data',
      (lines: readonly string[]) => lines.some((line) => line.includes('loading demo data')),
    ],
  ])(
    'killed with -9 %s of the first start, the next start recovers and loads the demo data whole',
    async (_, moment) => {
      const first = start();
      const began = performance.now();
      await expect
        .poll(() => moment(first.lines, performance.now() - began), { interval: 5, timeout: 30_000 })
        .toBe(true);
      await stopProcess(first.child, 'SIGKILL');
      const second = start();
      const ready = await second.ready;
      expect((await api(ready, '/api/v1/activities')).body.total.value).toBe(activities);
      const recorded = await api(ready, '/api/v1/audit?events=all&action=ActivityRecorded&limit=1');
      expect(recorded.body.total.value).toBe(activities);
      expect(await stopProcess(second.child)).toBe(0);
    },
    60_000,
  );

  test('killed with -9 while it serves, the next start adopts the Postgres that was left', async () => {
    const first = start({ DEMO: 'off' });
    await first.ready;
    await stopProcess(first.child, 'SIGKILL');
    const second = start({ DEMO: 'off' });
    await second.ready;
    expect(
      second.lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'embedded Postgres is up'),
    ).toMatchObject({ adopted: true });
  }, 60_000);
});

describe('what is wrong is said with what to do', () => {
  async function failure(env: Record<string, string>): Promise<string> {
    const { child, lines, errors } = start({ DEMO: 'off', ...env });
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(errors.join('')).not.toMatch(/\n\s+at /);
    return `${lines.map((line) => JSON.parse(line).msg).join('\n')}${errors.join('')}`;
  }

  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    expect(await failure({ PORT: String(port) })).toMatch(new RegExp(`Port ${port} is taken.*PORT=`));
    expect(await failure({ ADMIN_PORT: String(port) })).toMatch(new RegExp(`Port ${port} is taken.*ADMIN_PORT=`));
    other.close();
  });

  test('a setting that makes no sense', async () => {
    expect(await failure({ PORT: 'many' })).toMatch(/PORT.*"many"/);
  });

  test('another Postgres that is configured but away, or no URL', async () => {
    expect(await failure({ DATABASE_URL: 'postgres://a:b@127.0.0.1:1/none' })).toMatch(
      /DATABASE_URL: .*127\.0\.0\.1:1.*does not answer.*embedded/,
    );
    expect(await failure({ DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/none' })).not.toContain('secret');
  });

  test('a data folder that is a file', async () => {
    const file = path.join(dataDir, 'file');
    await writeFile(file, '');
    expect(await failure({ DATA_DIR: file })).toMatch(/DATA_DIR/);
  });

  test('a key file that cannot be read', async () => {
    expect(await failure({ AUTH_PUBLIC_KEY_FILE: '/nowhere/key.pem' })).toMatch(
      /AUTH_PUBLIC_KEY_FILE: .*cannot be read/,
    );
  });
});
