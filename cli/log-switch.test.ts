/** A whole move, as docs/event-log.md tells it: copy, start on the other log, rebuild; and back again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { type EventStoreDouble, startEventStoreDouble } from '#shared/testing/eventstoredb/start-double.ts';
import { coolMint as run } from '../e2e/support/cool-mint.ts';
import { type ServiceProcess, startService, stopProcess } from '../e2e/support/service-process.ts';

let dataDir: string;
let server: EventStoreDouble;
let service: ServiceProcess | undefined;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-switch-'));
  server = await startEventStoreDouble();
});
afterAll(async () => {
  if (service) await stopProcess(service.child);
  await stopLeftOverPostgres({ dataDir });
  await server[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

const coolMint = (...args: string[]) => run(args, { DATA_DIR: dataDir, EVENTSTORE_URL: server.url });

async function start(env: Record<string, string>): Promise<void> {
  service = startService(dataDir, { DEMO_ACTIVITIES: '300', ...env });
  await service.ready;
}

const stop = () => stopProcess((service as ServiceProcess).child);
const listing = async () => {
  const { data, total } = JSON.parse((await coolMint('activities', '--tenant', 'demo', '--json')).out);
  return { data, total };
};

/** Every view is built anew from the log they now belong to, and all is well again. */
async function rebuildAll(): Promise<void> {
  const before = await coolMint('status');
  expect([before.code, before.err]).toEqual([1, expect.stringContaining('not ready')]);
  const rebuilt = await coolMint('rebuild', 'all');
  expect([rebuilt.code, rebuilt.err]).toEqual([0, '']);
  expect(rebuilt.out).toMatch(/^operations: generation .*\ncatalog: generation .*\naudit: generation .*\n$/);
  // A projection that waits for its rebuild looks again within ten seconds.
  await expect.poll(async () => (await coolMint('status')).code, { timeout: 30_000 }).toBe(0);
}

const select = (name: string) =>
  coolMint('select', '--tenant', 'demo', '--name', name, '--purpose', 'test', '--kind', 'call', '--json');
const selected = async () => (await coolMint('audit', '--tenant', 'demo', '--action', 'SelectionFrozen')).out;

describe('moving the event log', { timeout: 180_000 }, () => {
  let shown: Awaited<ReturnType<typeof listing>>;

  test('to EventStoreDB: the service goes on with the same views', async () => {
    await start({});
    shown = await listing();
    expect(shown.total).toEqual({ value: 300, exact: true });
    expect((await select('before the move')).code).toBe(0);
    await stop();
    const copied = await coolMint('log', 'copy', '--from', 'postgres', '--to', 'eventstoredb');
    expect([copied.code, copied.out]).toEqual([
      0,
      expect.stringMatching(/^Copied [\d,]+ events from the embedded Postgres in /),
    ]);
    await start({ EVENTSTORE_URL: server.url });
    await rebuildAll();
    expect(await listing()).toEqual(shown);
    expect(await selected()).toMatch(/SelectionFrozen/);
    expect((await select('after the move')).code).toBe(0);
    await stop();
  });

  test('once more the same way is refused: the new log has gone its own way', async () => {
    const { code, err } = await coolMint('log', 'copy', '--from', 'postgres', '--to', 'eventstoredb');
    expect([code, err]).toEqual([1, expect.stringContaining('Something has worked with the target since')]);
  });

  test('back to Postgres: what came in EventStoreDB is there', async () => {
    const copied = await coolMint('log', 'copy', '--from', 'eventstoredb', '--to', 'postgres');
    expect([copied.code, copied.out]).toEqual([0, expect.stringContaining('had been there before')]);
    await start({});
    await rebuildAll();
    expect(await listing()).toEqual(shown);
    expect((await selected()).trim().split('\n')).toHaveLength(2);
    await stop();
  });
});
