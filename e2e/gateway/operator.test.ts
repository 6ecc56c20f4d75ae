/**
 * The command line in a container of its own, as docker-compose.yml sets it up (service cool-mint): the services are other
 * processes, behind the gateway, and nothing of them is in its data folder but the key.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';
import { coolMint, jsonLines } from '../support/cool-mint.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type ReadyLine, type ServiceProcess, startService, stopProcess } from '../support/service-process.ts';

const names = ['command-service', 'query-service', 'projector'] as const;
type Name = (typeof names)[number];

let dataDir: string;
let database: TestDatabase;
let gateway: Gateway;
let environment: Record<string, string>;
const running = new Map<Name, ServiceProcess>();

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-operator-'));
  database = await createTestDatabase();
  const env = { DATABASE_URL: database.url, TRUSTED_PROXIES: 'loopback' };
  for (const name of names) running.set(name, startService(dataDir, env, [name]));
  const [commands, queries, projector] = (await Promise.all(
    names.map((name) => (running.get(name) as ServiceProcess).ready),
  )) as [ReadyLine, ReadyLine, ReadyLine];
  gateway = await startGateway({ commands: new URL(commands.url).host, queries: new URL(queries.url).host });
  environment = {
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    EVENTSTORE_URL: '',
    KAFKA_BROKERS: '',
    REDIS_URL: '',
    MINT_TOKEN: '',
    MINT_URL: gateway.insideUrl,
    MINT_SIGN: 'on',
    MINT_ADMIN_URL: [commands, queries, projector].map(({ adminUrl }) => adminUrl).join(','),
  };
}, 60_000);
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const { child } of running.values()) await stopProcess(child, 'SIGKILL');
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function examined(given: Readonly<Record<string, string>> = {}) {
  const { code, out } = await coolMint(['doctor', '--json'], { ...environment, ...given });
  return { code, lines: jsonLines(out) as { group: string; check: string; status: string; text: string }[] };
}
const found = ({ lines }: Awaited<ReturnType<typeof examined>>, group: string, check: string) => {
  const line = lines.find((each) => each.group === group && each.check === check);
  return [line?.status, line?.text];
};

describe('beside services of their own', { timeout: 60_000 }, () => {
  test('the doctor looks at the API, at the health of each process and at tokens, and nothing fails', async () => {
    const all = await examined();
    expect(all.lines.filter(({ status }) => status === 'failed')).toEqual([]);
    for (const group of ['api', 'authentication'])
      expect(all.lines.filter((line) => line.group === group && line.status !== 'ok')).toEqual([]);
    expect(found(all, 'api', 'ready')[1]).toBe(`${environment['MINT_ADMIN_URL']?.replaceAll(',', ', ')}: ready`);
    expect(found(all, 'clock', 'API')).toEqual(['ok', 'the same as here']);
    expect(found(all, 'database', 'processes')).toEqual(['ok', 'at work: 1 take commands, 1 answer queries, 1 apply']);
  });

  test('status and rebuild find them', async () => {
    const status = await coolMint(['status'], environment);
    expect([status.code, status.out]).toEqual([0, expect.stringMatching(/ready\nPROJECTION/)]);
    const rebuilt = await coolMint(['rebuild', 'all', '--reason', 'to see'], environment);
    expect([rebuilt.code, rebuilt.out]).toEqual([0, expect.stringContaining('catalog: generation 1 → 2')]);
  });

  test('where nobody says where the API is, the doctor does not keep that to himself', async () => {
    const silent = { MINT_URL: '', MINT_ADMIN_URL: '', DATA_DIR: path.join(dataDir, 'elsewhere') };
    expect(found(await examined(silent), 'api', 'answers')).toEqual([
      'warning',
      expect.stringContaining('whether its API answers was not looked at'),
    ]);
  });

  test.each(['query-service', 'command-service', 'projector'] as const)(
    'a %s that has ended is named, and the doctor ends with 1',
    async (name) => {
      const { child, ready } = running.get(name) as ServiceProcess;
      const { adminUrl } = await ready;
      await stopProcess(child, 'SIGKILL');
      const all = await examined();
      expect(all.code).toBe(1);
      expect(found(all, 'api', 'alive')).toEqual([
        'failed',
        expect.stringContaining(`${adminUrl} does not answer (ECONNREFUSED)`),
      ]);
      if (name === 'query-service') {
        expect(found(all, 'database', 'processes')).toEqual([
          'failed',
          expect.stringContaining('none answers queries'),
        ]);
        expect(found(all, 'api', 'answers')[0]).toBe('failed');
        const status = await coolMint(['status'], environment);
        expect([status.code, status.err]).toEqual([1, expect.stringContaining('The service does not answer')]);
      }
      if (name === 'command-service')
        expect(found(all, 'database', 'processes')).toEqual(['failed', expect.stringContaining('none takes commands')]);
    },
  );
});
