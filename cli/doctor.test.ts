/** Faults that are planted, and what the doctor says of each. Servers are real ones; what they answer is not made up. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { exportJWK, generateKeyPair } from 'jose';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Group } from '#cli/doctor/check.ts';
import { allChecks, type Machine, thisMachine } from '#cli/doctor/checks.ts';
import { examine, type Report } from '#cli/doctor/examine.ts';
import { lookAt } from '#cli/doctor/installation.ts';
import { ensureLocalIssuer, issuerFiles, issueToken } from '#shared/access/local-issuer.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { createTestDatabase, type TestDatabase, urlOf } from '#shared/testing/test-database.ts';
import { coolMint, jsonLines } from '../e2e/support/cool-mint.ts';
import { type ServiceProcess, startService, stopProcess } from '../e2e/support/service-process.ts';
import { type System, startSystem } from '../e2e/support/system.ts';

type Environment = Readonly<Record<string, string>>;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-doctor-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Plenty: how full the disk of whoever runs the tests is proves nothing. */
const roomy: Machine = { ...thisMachine, freeSpace: async () => ({ free: 5e11, total: 1e12 }) };

async function examined(environment: Environment, machine: Machine = roomy, only?: Group): Promise<Report[]> {
  await using installation = lookAt(environment);
  const checks = await allChecks(installation, machine);
  return Array.fromAsync(examine(checks.filter(({ group }) => !only || group === only)));
}

/** Of one check; it fails a test where there is no such check. */
function finding(reports: readonly Report[], group: Group, check: string) {
  const found = reports.find((report) => report.group === group && report.check === check);
  if (!found) throw new Error(`no check "${check}" in ${group}`);
  return [found.status, `${found.text} ${found.advice ?? ''}`] as const;
}
const told = (text: RegExp | string) =>
  typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text);

async function inDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'test' });
  await client.connect();
  return work(client).finally(() => client.end());
}

async function serve(answer: (route: string) => [status: number, body: string]): Promise<Server & { url: string }> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url ?? '');
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(server, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

describe('one machine, the command as a process', () => {
  let dataDir: string;
  let service: ServiceProcess;
  const environment = () => ({
    DATA_DIR: dataDir,
    ...Object.fromEntries(
      ['DATABASE_URL', 'EVENTSTORE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'MINT_URL', 'MINT_TOKEN'].map((name) => [
        name,
        '',
      ]),
    ),
  });
  beforeAll(async () => {
    dataDir = path.join(root, 'one-machine');
  });
  afterAll(async () => {
    await stopProcess(service.child, 'SIGKILL');
    await stopLeftOverPostgres({ dataDir });
  });

  test('before the first start nothing fails, and nothing is made', async () => {
    const { code, out, err } = await coolMint(['doctor'], environment());
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('the first start makes it');
    expect(out).toContain('- reachable, sessions, migrations, encoding');
    expect(out).toMatch(/\n\d+ ok, \d+ warnings?, 0 failed, \d+ skipped\n$/);
    await expect(stat(dataDir)).rejects.toThrow(/ENOENT/);
  });

  test('of a healthy installation there is nothing to say', async () => {
    service = startService(dataDir, { DEMO: 'off' });
    await service.ready;
    const { code, out, err } = await coolMint(['doctor', '--json'], environment());
    expect([code, err]).toEqual([0, '']);
    const lines = jsonLines(out);
    expect(
      lines.filter(({ group, status }) => group !== 'disk' && (status === 'warning' || status === 'failed')),
    ).toEqual([]);
    for (const each of ['database', 'log', 'projections', 'api', 'authentication', 'clock'])
      expect(lines.filter(({ group, status }) => group === each && status !== 'ok')).toEqual([]);
    expect(lines.at(-1)).toMatchObject({ event: 'done', failed: 0 });
    const password = (await readFile(path.join(dataDir, 'postgres.password'), 'utf8')).trim();
    expect(out).not.toContain(password);
  }, 60_000);

  test('--only takes groups, and says which there are', async () => {
    const { out } = await coolMint(['doctor', '--only', 'log,clock', '--json'], environment());
    expect(new Set(jsonLines(out).flatMap(({ group }) => group ?? []))).toEqual(new Set(['log', 'clock']));
    const wrong = await coolMint(['doctor', '--only', 'weather'], environment());
    expect([wrong.code, wrong.err]).toEqual([1, told('There is no group "weather". There are: environment, database')]);
  });

  test('a service that was killed is named, and the command ends with 1', async () => {
    await stopProcess(service.child, 'SIGKILL');
    const { code, out } = await coolMint(['doctor'], environment());
    expect(code).toBe(1);
    expect(out).toMatch(/✗ answers: Cool Mint was running at .*, but its process is gone\. Start it with: npm start/);
  });
});

describe('settings and the data folder', () => {
  const dataDir = () => path.join(root, randomUUID());

  test('all settings that cannot be are listed, and what needs them is skipped', async () => {
    const reports = await examined({ DATA_DIR: dataDir(), PORT: 'many', LOG_LEVEL: 'loud', KAFKA_PARTITIONS: '65' });
    const [status, text] = finding(reports, 'environment', 'settings');
    expect([status, text]).toEqual(['failed', told(/PORT: .*LOG_LEVEL: |LOG_LEVEL: .*PORT: |PORT: /s)]);
    for (const name of ['PORT: ', 'LOG_LEVEL: ', 'KAFKA_PARTITIONS: ']) expect(text).toContain(name);
    expect(finding(reports, 'database', 'reachable')).toEqual(['skipped', told('the settings are wrong')]);
  });

  test('a name that looks like a setting', async () => {
    expect(
      finding(await examined({ DATA_DIR: dataDir(), DATBASE_URL: 'x' }), 'environment', 'names of settings'),
    ).toEqual(['warning', told('DATBASE_URL is no setting; is DATABASE_URL meant?')]);
  });

  test('a data folder that is a file, and one that everybody may write to', async () => {
    const folder = dataDir();
    await writeFile(folder, '');
    expect(finding(await examined({ DATA_DIR: folder }), 'environment', 'data folder')).toEqual([
      'failed',
      told('is a file'),
    ]);
    const open = dataDir();
    await mkdir(open);
    await chmod(open, 0o777);
    expect(finding(await examined({ DATA_DIR: open }), 'environment', 'data folder')).toEqual([
      'warning',
      told('chmod o-w'),
    ]);
  });

  test('a disk that is nearly full, and one that is', async () => {
    const disk = (free: number): Machine => ({ ...thisMachine, freeSpace: async () => ({ free, total: 1e12 }) });
    const of = async (free: number) =>
      finding(await examined({ DATA_DIR: dataDir() }, disk(free), 'disk'), 'disk', 'data folder');
    expect(await of(101e9)).toEqual(['ok', told('101 GB of')]);
    expect(await of(99e9)).toEqual(['warning', told(/only 99\.0 GB of .* are free.*DATA_DIR/)]);
    expect(await of(1e8)).toEqual(['failed', told('only 100 MB of')]);
  });
});

describe('a database without a service', () => {
  let database: TestDatabase;
  let environment: Environment;
  const logged = async (schemaVersion = 1) => {
    const pool = new Pool({ connectionString: database.url, application_name: 'test' });
    const log = await postgresEventLog({ pool, directUrl: null });
    const event = newEvent('acme');
    const newer = { ...event, metadata: { ...event.metadata, schemaVersion } };
    await log.append([{ stream: `selection-${randomUUID()}`, expected: 'none', events: [newer] }]);
    await log.close();
    await pool.end();
    return log.id;
  };
  /** As a projector of that version would have left it, at the start of that log. */
  const built = (logId: string, version = 1) =>
    inDatabase(database.url, async (client) => {
      await client.query("insert into projector.projections values ('audit', 1)");
      await client.query(
        "insert into projector.generations (projection, generation, version, state) values ('audit', 1, $1, 'live')",
        [version],
      );
      await client.query(
        "insert into projector.checkpoints (projection, generation, slot, position) select 'audit', 1, slot, $1 from generate_series(0, 63) slot",
        [`${logId}-0000000000000000`],
      );
    });

  beforeEach(async () => {
    database = await createTestDatabase();
    environment = { DATA_DIR: path.join(root, randomUUID()), DATABASE_URL: database.url };
    return () => database.drop();
  });

  test('that is migrated and empty: nothing fails, whatever is not there yet is said', async () => {
    const reports = await examined(environment);
    expect(reports.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(finding(reports, 'log', 'end')).toEqual(['ok', told('no events yet')]);
    expect(finding(reports, 'projections', 'audit')).toEqual(['skipped', told('not built yet')]);
    // The servers of tests give safety away for speed.
    expect(finding(reports, 'database', 'durability')).toEqual(['warning', told('fsync = off')]);
  });

  test('the sessions that it opens cannot write', async () => {
    await using installation = lookAt(environment);
    const pool = await installation.database();
    await expect(pool.query("insert into projector.projections values ('x', 1)")).rejects.toMatchObject({
      code: '25006',
    });
  });

  test('that is away', async () => {
    const reports = await examined({ ...environment, DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/x` });
    expect(finding(reports, 'database', 'reachable')).toEqual([
      'failed',
      told(/DATABASE_URL: the Postgres at 127.* cannot be used: it does not answer \(ECONNREFUSED\)/),
    ]);
    expect(reports.filter(({ group }) => group === 'network')).toEqual([
      expect.objectContaining({ status: 'failed', text: told(/takes no connection \(ECONNREFUSED\)/) }),
    ]);
    expect(finding(reports, 'projections', 'catalog')).toEqual(['skipped', told('the database cannot be used')]);
  });

  test('a password that is wrong, a database and a host that are not there', async () => {
    const wrong = new URL(database.url);
    wrong.password = 'an0ther';
    expect(finding(await examined({ ...environment, DATABASE_URL: wrong.href }), 'database', 'reachable')).toEqual([
      'failed',
      told('the user or password is refused'),
    ]);
    const none = urlOf(database.url, 'no_such_database');
    expect(finding(await examined({ ...environment, DATABASE_URL: none }), 'database', 'reachable')).toEqual([
      'failed',
      told('there is no such database'),
    ]);
    const lost = await examined({ ...environment, DATABASE_URL: 'postgres://u:p@no-such-host.invalid/x' });
    expect(finding(lost, 'network', 'DATABASE_URL no-such-host.invalid:5432')).toEqual([
      'failed',
      told('the name no-such-host.invalid is not known here'),
    ]);
  });

  test('a direct URL to another database', async () => {
    const reports = await examined({ ...environment, DATABASE_DIRECT_URL: inject('postgresUrl') });
    expect(finding(reports, 'database', 'reachable')).toEqual(['failed', told('is another database than the one')]);
  });

  test('migrations that were not applied, and some of a newer version', async () => {
    await inDatabase(database.url, (client) => client.query("delete from migration.applied where name like '0003%'"));
    expect(finding(await examined(environment), 'database', 'migrations')).toEqual([
      'warning',
      told(/not applied yet: 0003-relay\.sql.*Back up/),
    ]);
    await inDatabase(database.url, (client) =>
      client.query("insert into migration.applied values ('9999-later.sql', '')"),
    );
    expect(finding(await examined(environment), 'database', 'migrations')).toEqual([
      'failed',
      told('migrated by a newer version of Cool Mint (9999-later.sql)'),
    ]);
  });

  test('an encoding that does not hold all texts; and nothing is made in it', async () => {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    const url = urlOf(database.url, name);
    await inDatabase(database.url, (client) =>
      client.query(`create database ${name} encoding 'SQL_ASCII' locale_provider libc locale 'C' template template0`),
    );
    try {
      const reports = await examined({ ...environment, DATABASE_URL: url });
      expect(finding(reports, 'database', 'encoding')).toEqual([
        'failed',
        told('SQL_ASCII; texts of activities need UTF8'),
      ]);
      expect(finding(reports, 'database', 'migrations')).toEqual(['ok', told('the first start makes the tables')]);
      const { rows } = await inDatabase(url, (client) =>
        client.query(
          "select nspname from pg_namespace where nspname in ('migration', 'event_log', 'projector', 'command')",
        ),
      );
      expect(rows).toEqual([]);
    } finally {
      await inDatabase(database.url, (client) => client.query(`drop database ${name} with (force)`));
    }
  });

  test('a user who may read only, and has few connections', async () => {
    const role = `reader_${randomUUID().replaceAll('-', '')}`;
    await inDatabase(database.url, async (client) => {
      await client.query(`create role ${role} login password 'a-pass-word' connection limit 15`);
      await client.query(`grant usage on schema event_log, command, projector, migration to ${role}`);
      for (const schema of ['event_log', 'command', 'projector', 'migration'])
        await client.query(`grant select on all tables in schema ${schema} to ${role}`);
    });
    try {
      const url = new URL(database.url);
      [url.username, url.password] = [role, 'a-pass-word'];
      const reports = await examined({ ...environment, DATABASE_URL: url.href });
      expect(finding(reports, 'database', 'rights')).toEqual([
        'failed',
        told(/may not write to command\.planned_appends/),
      ]);
      expect(finding(reports, 'database', 'connections')).toEqual([
        'warning',
        told(/of 15 in use; a process takes up to 23.*max_connections/),
      ]);
    } finally {
      await inDatabase(database.url, async (client) => {
        await client.query(`drop owned by ${role}`);
        await client.query(`drop role ${role}`);
      });
    }
  });

  test('an event of a newer version', async () => {
    await logged(99);
    expect(finding(await examined(environment), 'log', 'end')).toEqual([
      'failed',
      told(/cannot be read: .* version 99 is newer than this version of Cool Mint/),
    ]);
  });

  test('appends that were planned and are not worked off', async () => {
    await inDatabase(database.url, (client) =>
      client.query(
        "insert into command.planned_appends values ('selection-x', 'acme', -1, now() - interval '90 seconds')",
      ),
    );
    expect(finding(await examined(environment), 'log', 'planned appends')).toEqual([
      'warning',
      told(/1 appends that were planned wait since 9\d seconds.*Restart a command service/),
    ]);
  });

  test('views of another log', async () => {
    await logged();
    await built('0badcafe');
    const reports = await examined(environment);
    expect(finding(reports, 'log', 'log of the views')).toEqual([
      'failed',
      told(/restored or exchanged .* Rebuild the views: npx cool-mint rebuild all .*its checkpoint is of log 0badcafe/),
    ]);
    expect(finding(reports, 'projections', 'audit')).toEqual(['skipped', told('another log')]);
  });

  test('a view that nobody feeds, and one of another version', async () => {
    await built(await logged());
    expect(finding(await examined(environment), 'projections', 'audit')).toEqual([
      'warning',
      told(/audit does not move: .*Start a projector/),
    ]);
    await inDatabase(database.url, (client) => client.query('update projector.generations set version = 7'));
    expect(finding(await examined(environment), 'projections', 'audit')).toEqual([
      'warning',
      told('made by version 7 of the projection'),
    ]);
  });

  test('a clock that is some seconds off, and one that is minutes off', async () => {
    const off = async (seconds: number) => {
      const machine = { ...roomy, now: () => Date.now() + seconds * 1_000 };
      return finding(await examined(environment, machine, 'clock'), 'clock', 'database');
    };
    expect(await off(0)).toEqual(['ok', told('the same')]);
    expect(await off(10)).toEqual(['warning', told(/10 s ahead of that of the database.*NTP/)]);
    expect(await off(-300)).toEqual(['failed', told('300 s behind that of the database')]);
  });
});

describe('beside a service', () => {
  let system: System;
  let environment: Environment;
  beforeAll(async () => {
    system = await startSystem();
    await (await system.api('acme')).post('/api/v1/selections', { name: 'one', purpose: 'doctor' });
    await system.settle();
    environment = {
      DATA_DIR: system.dataDir,
      DATABASE_URL: system.database.url,
      MINT_URL: system.machine.url,
      MINT_TOKEN: await issueToken(system.dataDir, { tenant: 'acme', actor: 'ann', hours: 1 }),
    };
  });
  afterAll(() => system?.[Symbol.asyncDispose]());

  test('nothing fails, and the version is told that differs from that of the command', async () => {
    const reports = await examined(environment);
    expect(reports.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(finding(reports, 'api', 'version')).toEqual(['warning', told('has version 0.0.0-test, this command 0.1.0')]);
    expect(finding(reports, 'database', 'processes')).toEqual(['ok', told('at work')]);
    expect(finding(reports, 'authentication', 'a token')).toEqual(['ok', told('is accepted')]);
    expect(finding(reports, 'authentication', 'no token')).toEqual(['ok', told('is refused')]);
    for (const name of ['catalog', 'audit', 'operations'])
      expect(finding(reports, 'projections', name)).toEqual(['ok', told('up to the end of the log')]);
    expect(system.errors).toEqual([]);
  });

  test('a projection that stands still', async () => {
    await inDatabase(system.database.url, async (client) => {
      await client.query('begin');
      // What a swap takes for a moment.
      await client.query("select pg_advisory_xact_lock(hashtextextended('audit', 4402))");
      await (await system.api('acme')).post('/api/v1/selections', { name: 'two', purpose: 'doctor' });
      expect(finding(await examined(environment), 'projections', 'audit')).toEqual([
        'failed',
        told(/The projection audit does not move: it stands at .* \/health\/ready/),
      ]);
      await client.query('rollback');
    });
    await system.settle();
    expect(finding(await examined(environment), 'projections', 'audit')[0]).toBe('ok');
  });

  test('a token that has expired, one of another key, and none', async () => {
    const expired = await issueToken(system.dataDir, { tenant: 'acme', actor: 'ann', hours: -2 });
    const other = path.join(root, 'other-issuer');
    await ensureLocalIssuer(other);
    const foreign = await issueToken(other, { tenant: 'acme', actor: 'ann', hours: 1 });
    const of = async (token: string) =>
      finding(await examined({ ...environment, MINT_TOKEN: token }), 'authentication', 'a token');
    expect(await of(expired)).toEqual(['failed', told(/MINT_TOKEN has expired, at 20/)]);
    expect(await of(foreign)).toEqual(['failed', told(/MINT_TOKEN is refused.*AUTH_JWKS_URL/)]);
    expect(await of('')).toEqual(['failed', told('MINT_URL is set, MINT_TOKEN is not')]);
  });

  test('a clock that differs from that of the API', async () => {
    const machine = { ...roomy, now: () => Date.now() - 120_000 };
    expect(finding(await examined(environment, machine, 'clock'), 'clock', 'API')).toEqual([
      'failed',
      told(/1[12]\d s behind that of the API/),
    ]);
  });

  test('another program where the API should be, one that lets everybody in, and nobody', async () => {
    const everybody = await serve(() => [200, '{"info":{"version":"0.1.0"}}']);
    const another = await serve(() => [404, 'no']);
    try {
      const open = await examined({ ...environment, MINT_URL: everybody.url });
      expect(finding(open, 'authentication', 'no token')).toEqual(['failed', told('HTTP 200; it must be 401')]);
      expect(finding(await examined({ ...environment, MINT_URL: another.url }), 'api', 'answers')).toEqual([
        'failed',
        told('answers, but not as Cool Mint does. Check MINT_URL'),
      ]);
      const nobody = await examined({ ...environment, MINT_URL: `http://127.0.0.1:${await freePort()}` });
      expect(finding(nobody, 'api', 'answers')).toEqual(['failed', told('it does not answer (ECONNREFUSED)')]);
      expect(finding(nobody, 'authentication', 'a token')).toEqual(['skipped', told('the API does not answer')]);
    } finally {
      everybody.close();
      another.close();
    }
  });
});

/** Each named by the check whose subject it is, with the setting or the thing that is wrong; the tests around say the details. */
test('names each of ten planted faults', { timeout: 60_000 }, async () => {
  await using system = await startSystem();
  const folder = path.join(root, 'ten');
  await mkdir(folder, { mode: 0o777 });
  await chmod(folder, 0o777);
  const of = async (environment: Environment, group: Group, check: string, machine = roomy) =>
    finding(await examined({ DATA_DIR: folder, ...environment }, machine, group), group, check);
  const database = { DATABASE_URL: system.database.url };
  const closed = await freePort();
  const slow = { ...roomy, now: () => Date.now() - 300_000 };
  const full: Machine = { ...roomy, freeSpace: async () => ({ free: 1e8, total: 1e12 }) };
  const faults: readonly (readonly [what: string, found: readonly [string, string], named: RegExp])[] = [
    ['a setting that cannot be', await of({ PORT: 'many' }, 'environment', 'settings'), /PORT/],
    [
      'a setting that is misspelt',
      await of({ KAFKA_BROKER: 'x:1' }, 'environment', 'names of settings'),
      /KAFKA_BROKERS meant/,
    ],
    ['a folder that is open to all', await of({}, 'environment', 'data folder'), /chmod o-w/],
    [
      'a database that is away',
      await of({ DATABASE_URL: `postgres://u:p@127.0.0.1:${closed}/x` }, 'database', 'reachable'),
      /ECONNREFUSED/,
    ],
    [
      'a broker that is away',
      await of({ ...database, KAFKA_BROKERS: `127.0.0.1:${closed}` }, 'broker', 'reachable'),
      /KAFKA_BROKERS|broker/,
    ],
    [
      'a Redis that is away',
      await of({ ...database, REDIS_URL: `redis://127.0.0.1:${closed}` }, 'cache', 'reachable'),
      /REDIS_URL/,
    ],
    [
      'an API that is another program',
      await of({ MINT_URL: `http://127.0.0.1:${closed}`, MINT_TOKEN: 'x' }, 'api', 'answers'),
      /ECONNREFUSED/,
    ],
    [
      'a token of another key',
      await of({ ...database, MINT_URL: system.machine.url, MINT_TOKEN: 'a.b.c' }, 'authentication', 'a token'),
      /MINT_TOKEN is refused/,
    ],
    ['a clock that is wrong', await of(database, 'clock', 'database', slow), /300 s behind/],
    ['a disk that is full', await of({}, 'disk', 'data folder', full), /100 MB/],
  ];
  expect(faults).toHaveLength(10);
  for (const [what, [status, text], named] of faults) {
    expect(['warning', 'failed'], what).toContain(status);
    expect(text, what).toMatch(named);
  }
});

describe('keys', () => {
  const keys = async (environment: Environment) =>
    finding(await examined(environment, roomy, 'authentication'), 'authentication', 'keys');

  test('that others may read, that do not belong together, that are damaged or missing', async () => {
    const dataDir = path.join(root, 'keys');
    expect(await keys({ DATA_DIR: dataDir })).toEqual(['skipped', told('the first start makes a key pair')]);
    await ensureLocalIssuer(dataDir);
    expect(await keys({ DATA_DIR: dataDir })).toEqual(['ok', told('a key pair in')]);
    const { privateKey, publicKey } = issuerFiles(dataDir);
    await chmod(privateKey, 0o644);
    expect(await keys({ DATA_DIR: dataDir })).toEqual([
      'warning',
      told(/Everybody on this machine may read .* \(mode 644\).*chmod 600/),
    ]);
    const other = path.join(root, 'keys-of-another');
    await writeFile(publicKey, await readFile(await ensureLocalIssuer(other)));
    expect(await keys({ DATA_DIR: dataDir })).toEqual(['failed', told('does not belong to')]);
    await rm(publicKey);
    expect(await keys({ DATA_DIR: dataDir })).toEqual(['failed', told('is missing')]);
    await writeFile(privateKey, 'no key');
    expect(await keys({ DATA_DIR: dataDir })).toEqual(['failed', told(/cannot be read .*Restore/)]);
  });

  test('of an identity provider: there, of another kind, not there', async () => {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const sets: Record<string, object> = {
      '/good': { keys: [jwk] },
      '/for-encryption': { keys: [{ ...jwk, use: 'enc' }] },
      '/other': { keys: [{ kty: 'oct' }] },
    };
    const server = await serve((route) => (sets[route] ? [200, JSON.stringify(sets[route])] : [404, '']));
    try {
      const at = (route: string) => keys({ DATA_DIR: root, AUTH_JWKS_URL: `${server.url}${route}` });
      expect(await at('/good')).toEqual(['ok', told('1 at ')]);
      for (const route of ['/for-encryption', '/other'])
        expect(await at(route)).toEqual(['failed', told('has no key of ES256, EdDSA or RS256')]);
      expect(await at('/nothing')).toEqual(['failed', told('answers with HTTP 404')]);
    } finally {
      server.close();
    }
    const away = `http://127.0.0.1:${await freePort()}/jwks`;
    expect(await keys({ DATA_DIR: root, AUTH_JWKS_URL: away })).toEqual([
      'failed',
      told('gives no keys (ECONNREFUSED)'),
    ]);
    expect(await keys({ DATA_DIR: root, AUTH_PUBLIC_KEY_FILE: path.join(root, 'none.pem') })).toEqual([
      'failed',
      told(/AUTH_PUBLIC_KEY_FILE: .*ENOENT/),
    ]);
  });
});

test('whatever is wrong with the URLs, no secret of theirs is shown', async () => {
  const passwordFile = path.join(root, 'sasl');
  const port = await freePort();
  const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ019@:/%# ü'), minLength: 10, maxLength: 16 });
  const mistake = fc.constantFrom<(url: string) => string>(
    (url) => url,
    (url) => url.replace('//', '/'),
    (url) => url.replace('://', ' ://'),
    (url) => url.replace(/^\w+/, 'http'),
    (url) => url.replace('@', '@@'),
    (url) => `${url}?sslmode=verify-full`,
  );
  await fc.assert(
    fc.asyncProperty(secret, fc.boolean(), mistake, async (password, encoded, mistaken) => {
      const written = encoded ? encodeURIComponent(password) : password;
      const url = (scheme: string) => mistaken(`${scheme}://mint:${written}@127.0.0.1:${port}/x`);
      await writeFile(passwordFile, password);
      const reports = await examined({
        DATA_DIR: path.join(root, 'secrets'),
        DATABASE_URL: url('postgres'),
        DATABASE_DIRECT_URL: url('postgresql'),
        EVENTSTORE_URL: url('esdb'),
        REDIS_URL: url('redis'),
        AUTH_JWKS_URL: url('http'),
        KAFKA_BROKERS: `127.0.0.1:${port}`,
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: 'mint',
        KAFKA_SASL_PASSWORD_FILE: passwordFile,
        MINT_URL: url('http'),
        MINT_TOKEN: `token.${password}`,
      });
      const shown = JSON.stringify(reports.map(({ text, advice }) => [text, advice]));
      for (const text of [password, written]) expect(shown).not.toContain(JSON.stringify(text).slice(1, -1));
      expect(reports.some(({ status }) => status === 'failed')).toBe(true);
    }),
    { numRuns: 20 },
  );
}, 120_000);
