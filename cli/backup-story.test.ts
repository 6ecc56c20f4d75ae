/** As docs/backup.md tells it: everything on one machine is lost; then, the event log alone. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { coolMint as run } from '../e2e/support/cool-mint.ts';
import { type ServiceProcess, startService, stopProcess } from '../e2e/support/service-process.ts';

let root: string;
let dataDir: string;
let server: EventStoreDouble;
let service: ServiceProcess | undefined;
let place: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cool-mint-story-'));
  dataDir = path.join(root, 'data');
  server = await startEventStoreDouble();
});
afterAll(async () => {
  if (service) await stopProcess(service.child);
  await stopLeftOverPostgres({ dataDir });
  await server[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const coolMint = (args: readonly string[], environment: Record<string, string> = {}) =>
  run(args, { DATA_DIR: dataDir, DATABASE_URL: '', EVENTSTORE_URL: '', ...environment });

async function start(env: Record<string, string> = {}): Promise<void> {
  service = startService(dataDir, { DEMO_ACTIVITIES: '200', ...env });
  await service.ready;
}
const stop = () => stopProcess((service as ServiceProcess).child);

const ok = async (args: readonly string[], environment: Record<string, string> = {}) => {
  const { code, out, err } = await coolMint(args, environment);
  expect([args, code, err]).toEqual([args, 0, expect.any(String)]);
  return out;
};
const listing = async () => {
  const { data, total } = JSON.parse(await ok(['activities', '--tenant', 'demo', '--json']));
  return { data, total };
};
const isReady = () => expect.poll(async () => (await coolMint(['status'])).code, { timeout: 30_000 }).toBe(0);

describe('a backup of a machine at work', { timeout: 180_000 }, () => {
  test('brings all of it back after the data folder is lost, tokens included', async () => {
    place = path.join(root, 'first');
    await start();
    await isReady();
    const shown = await listing();
    expect(shown.total).toEqual({ value: 200, exact: true });
    await ok(['select', '--tenant', 'demo', '--name', 'kept', '--purpose', 'test', '--kind', 'call']);
    const audit = await ok(['audit', '--tenant', 'demo', '--action', 'SelectionFrozen']);
    expect(audit).toContain('127.0.0.1');
    const backedUp = await ok(['backup', '--to', place]);
    expect(backedUp).toMatch(/^Backed up [\d,]+ events from the embedded Postgres in .*\n/);
    expect(backedUp).toContain('keys      yes');
    // A restore beside the service is refused.
    const beside = await coolMint(['restore', '--from', place]);
    expect([beside.code, beside.err]).toEqual([
      1,
      expect.stringContaining('Another Cool Mint process is using the data folder'),
    ]);
    await stop();
    const key = await readFile(path.join(dataDir, 'issuer', 'private-key.pem'), 'utf8');

    await rm(dataDir, { recursive: true });
    expect(await ok(['restore', '--from', place])).toContain('keys      restored');
    expect(await readFile(path.join(dataDir, 'issuer', 'private-key.pem'), 'utf8')).toBe(key);
    await start();
    await isReady();
    expect(await listing()).toEqual(shown);
    expect(await ok(['audit', '--tenant', 'demo', '--action', 'SelectionFrozen'])).toBe(audit);
    // The log is another one: the next backup needs a place of its own.
    const same = await coolMint(['backup', '--to', place]);
    expect([same.code, same.err]).toEqual([
      1,
      expect.stringContaining('a log that was restored or moved is another one'),
    ]);
  });

  test('brings the log into EventStoreDB, where views of the lost one are noticed, and rebuilt', async () => {
    const shown = await listing();
    place = path.join(root, 'second');
    await ok(['backup', '--to', place]);
    await stop();
    // The views stay where they are, in the embedded Postgres, and are of the log that was there.
    const env = { EVENTSTORE_URL: server.url, EVENTSTORE_STREAM_PREFIX: 'restored.' };
    const restored = await coolMint(['restore', '--from', place], env);
    expect([restored.code, restored.err]).toEqual([0, expect.stringContaining('npx cool-mint rebuild all')]);
    expect(restored.out).toContain('which are kept');
    await start(env);
    const before = await coolMint(['status']);
    expect([before.code, before.err]).toEqual([1, expect.stringContaining('not ready')]);
    await ok(['rebuild', 'all']);
    await isReady();
    expect(await listing()).toEqual(shown);

    // From there back to Postgres, and to a machine that has nothing.
    place = path.join(root, 'third');
    expect(await ok(['backup', '--to', place, '--without-keys'], env)).toContain('EventStoreDB at ');
    await stop();
    await stopLeftOverPostgres({ dataDir });
    dataDir = path.join(root, 'other-data');
    expect(await ok(['restore', '--from', place])).toContain('keys      none in the backup');
    await start();
    await isReady();
    expect(await listing()).toEqual(shown);
    await stop();
  });
});
