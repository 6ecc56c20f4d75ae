import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureLocalIssuer, issuerFiles } from '#shared/access/local-issuer.ts';
import { createBackup } from '#shared/backup/create-backup.ts';
import { folderStore } from '#shared/backup/folder-store.ts';
import { manifestName, manifestText, parseManifest } from '#shared/backup/manifest.ts';
import { BackupRefused } from '#shared/backup/refused.ts';
import { restoreBackup } from '#shared/backup/restore-backup.ts';
import type { BackupStore } from '#shared/backup/store.ts';
import { type Until, verifyBackup } from '#shared/backup/verify-backup.ts';
import { newEvent } from '#shared/event-log/contract.ts';
import { pagesOf } from '#shared/event-log/copy-log-pages.ts';
import type { EventLog, RecordedEvent } from '#shared/event-log/event-log.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { createTestDatabase, type TestDatabase } from '#shared/testing/test-database.ts';

const never = new AbortController().signal;
let root: string;
let folder: string;
let folders = 0;
let database: TestDatabase;
let client: Client;
let log: EventLog;

const newFolder = () => path.join(root, `${++folders}`);
const connected = async (url: string) => {
  const made = new Client({ connectionString: url });
  await made.connect();
  return made;
};

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cool-mint-backup-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  folder = newFolder();
  database = await createTestDatabase();
  client = await connected(database.url);
  log = memoryEventLog({ id: '0000000a' });
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

async function record(count: number, { tenant = 'acme', text = 'x', recordedAt = '' } = {}): Promise<void> {
  for (let index = 0; index < count; index++) {
    const event = newEvent(tenant, { text: `${text}${index}` });
    const metadata = recordedAt ? { ...event.metadata, recordedAt } : event.metadata;
    await log.append([{ stream: `selection-${randomUUID()}`, expected: 'none', events: [{ ...event, metadata }] }]);
  }
}

async function origin(agent: string, at = '2026-01-01T00:00:00Z', into = client): Promise<void> {
  await into.query(
    `insert into command.request_origins (tenant, correlation_id, actor, user_agent, at) values ('acme', $1, 'a', $2, $3)`,
    [randomUUID(), agent, at],
  );
}

const backUp = (given: Partial<Parameters<typeof createBackup>[0]> = {}) =>
  createBackup({
    log,
    client,
    keysOf: null,
    store: folderStore(folder),
    version: '0.0.0-test',
    now: () => new Date('2026-11-21T12:00:00Z'),
    partBytes: 2_000,
    signal: never,
    onProgress: () => undefined,
    ...given,
  });

const verify = (until: Until | null = null, store: BackupStore = folderStore(folder)) =>
  verifyBackup({ store, until, signal: never, onProgress: () => undefined });

/** Into a database of its own, which `work` may look at and change before. */
async function restored<T>(
  given: Partial<Parameters<typeof restoreBackup>[0]>,
  work: (parts: {
    readonly target: EventLog;
    readonly into: Client;
    readonly restore: (more?: Partial<Parameters<typeof restoreBackup>[0]>) => ReturnType<typeof restoreBackup>;
  }) => Promise<T>,
): Promise<T> {
  const other = await createTestDatabase();
  const into = await connected(other.url);
  const target = given.log ?? memoryEventLog({ id: '0000000b' });
  try {
    const restore = (more: Partial<Parameters<typeof restoreBackup>[0]> = {}) =>
      restoreBackup({
        store: folderStore(folder),
        until: null,
        log: target,
        client: into,
        dataDir: newFolder(),
        signal: never,
        onProgress: () => undefined,
        ...given,
        ...more,
      });
    return await work({ target, into, restore });
  } finally {
    await into.end();
    await other.drop();
  }
}

async function eventsOf(of: EventLog): Promise<Omit<RecordedEvent, 'position'>[]> {
  const pages = await Array.fromAsync(pagesOf(of, of.start, never));
  return pages.flatMap(({ events }) => events.map(({ position: _, ...event }) => event));
}

const files = async (of = folder) =>
  (await readdir(of, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(of, path.join(entry.parentPath, entry.name)))
    .sort();

const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BackupRefused);
  return (error as Error).message;
};

describe('what was backed up', () => {
  test('comes back: events, rows, keys', async () => {
    const dataDir = newFolder();
    await ensureLocalIssuer(dataDir);
    await record(40);
    await record(3, { tenant: 'globex', text: 'zero \u0000 and \u2028 and é ' });
    await origin('agent 1');
    const planned = newEvent('acme', { text: 'planned \u0000\n' });
    await client.query(
      "insert into command.planned_appends (stream, tenant, expected) values ('selection-p', 'acme', 3)",
    );
    await client.query("insert into command.planned_events (stream, place, event) values ('selection-p', 1, $1)", [
      JSON.stringify(planned),
    ]);
    const result = await backUp({ keysOf: dataDir });
    expect(result).toMatchObject({ before: 0, events: 43, position: await log.head(), rows: 3, keys: true });
    const checked = await verify();
    expect(checked).toMatchObject({ events: 43, cut: false, time: '2026-11-01T10:00:00.000Z' });

    const newDataDir = newFolder();
    await restored({ dataDir: newDataDir }, async ({ restore, target, into }) => {
      expect(await restore()).toMatchObject({
        events: 43,
        before: 0,
        rows: 3,
        keys: 'restored',
        digest: checked.digest,
      });
      // Each tenant's in the same order, as with any copy.
      for (const tenant of ['acme', 'globex']) {
        const of = async (each: EventLog) => (await eventsOf(each)).filter((event) => event.metadata.tenant === tenant);
        expect(await of(target)).toEqual(await of(log));
      }
      for (const table of ['request_origins', 'planned_appends']) {
        const rows = `select * from command.${table}`;
        expect((await into.query(rows)).rows).toEqual((await client.query(rows)).rows);
      }
      const text = 'select stream, place, event::text as event from command.planned_events';
      expect((await into.query(text)).rows).toEqual([
        { stream: 'selection-p', place: 1, event: JSON.stringify(planned) },
      ]);
      // Again, it adds nothing, and leaves rows and keys as they are.
      expect(await restore()).toMatchObject({ events: 43, before: 43, rows: null, keys: 'the same' });
      expect((await into.query('select from command.request_origins')).rowCount).toBe(1);
    });
    for (const file of ['privateKey', 'publicKey'] as const)
      expect(await readFile(issuerFiles(newDataDir)[file], 'utf8')).toBe(
        await readFile(issuerFiles(dataDir)[file], 'utf8'),
      );
    expect((await stat(issuerFiles(newDataDir).privateKey)).mode & 0o777).toBe(0o600);
  });

  test('leaves the keys out where it is told to, and never replaces other ones', async () => {
    const [dataDir, other] = [newFolder(), newFolder()];
    await ensureLocalIssuer(dataDir);
    await ensureLocalIssuer(other);
    await record(1);
    await backUp();
    expect((await files()).filter((name) => name.startsWith('keys'))).toEqual([]);
    const kept = await readFile(issuerFiles(other).privateKey, 'utf8');
    await restored({ dataDir: other }, async ({ restore }) => expect((await restore()).keys).toBe('none'));
    await backUp({ keysOf: dataDir });
    await restored({ dataDir: other }, async ({ restore }) => expect((await restore()).keys).toBe('others were there'));
    expect(await readFile(issuerFiles(other).privateKey, 'utf8')).toBe(kept);
  });

  test('an empty log is a backup too', async () => {
    expect(await backUp()).toMatchObject({ events: 0, position: null, time: null });
    await restored({}, async ({ restore }) => expect(await restore()).toMatchObject({ events: 0, cut: false }));
  });

  test('any history, backed up now and then, comes back whole and up to any time', { timeout: 90_000 }, async () => {
    const step = fc.record({
      events: fc.integer({ min: 0, max: 12 }),
      tenant: fc.constantFrom('acme', 'globex', 'initech'),
      /** Clocks of several processes differ: times do not always rise. */
      second: fc.integer({ min: 0, max: 59 }),
      backUp: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 8 }),
        fc.integer({ min: 200, max: 5_000 }),
        fc.integer({ min: -1, max: 59 }),
        async (steps, partBytes, second) => {
          folder = newFolder();
          log = memoryEventLog({ id: '0000000a' });
          const at = (value: number) => `2026-11-01T10:00:${`${Math.max(0, value)}`.padStart(2, '0')}.000Z`;
          for (const { events, tenant, second: when, backUp: now } of steps) {
            await record(events, { tenant, recordedAt: at(when) });
            if (now) await backUp({ partBytes });
          }
          await backUp({ partBytes });
          const all = await eventsOf(log);
          const until = second < 0 ? null : { time: at(second) };
          let latest = '';
          const kept = all.filter(({ metadata }) => {
            if (metadata.recordedAt > latest) latest = metadata.recordedAt;
            return until === null || latest <= until.time;
          });
          const target = memoryEventLog({ id: '0000000b' });
          const other = await createTestDatabase();
          const into = await connected(other.url);
          const result = await restoreBackup({
            store: folderStore(folder),
            until,
            log: target,
            client: into,
            dataDir: newFolder(),
            signal: never,
            onProgress: () => undefined,
          }).finally(async () => {
            await into.end();
            await other.drop();
          });
          expect(result).toMatchObject({ events: kept.length, cut: kept.length < all.length });
          for (const tenant of ['acme', 'globex', 'initech']) {
            const of = (events: typeof all) => events.filter(({ metadata }) => metadata.tenant === tenant);
            expect(of(await eventsOf(target))).toEqual(of(kept));
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('a second backup to the same place', () => {
  test('adds what is new, and touches nothing of the log that is there but the last part, while that has room', async () => {
    await record(20);
    await backUp();
    const parts = (await files()).filter((name) => name.startsWith('log/')).slice(0, -1);
    expect(parts.length).toBeGreaterThan(2);
    const times = await Promise.all(parts.map(async (name) => (await stat(path.join(folder, name))).ino));
    await record(5, { text: 'new' });
    expect(await backUp()).toMatchObject({ before: 20, events: 25 });
    const later = (await files()).filter((name) => name.startsWith('log/'));
    expect(later).toEqual(expect.arrayContaining(parts));
    expect(later.length).toBeGreaterThan(parts.length);
    expect(await Promise.all(parts.map(async (name) => (await stat(path.join(folder, name))).ino))).toEqual(times);
    expect(await verify()).toMatchObject({ events: 25 });
  });

  test('made as often as one likes, it has as many parts as one that is made at once', async () => {
    for (let time = 0; time < 25; time++) {
      await record(1);
      await backUp();
      // Nothing new: nothing is written anew.
      if (time % 10 === 0) await backUp();
    }
    const often = (await files()).filter((name) => name.startsWith('log/'));
    expect(await verify()).toMatchObject({ events: 25 });
    folder = newFolder();
    await backUp();
    expect(often).toHaveLength((await files()).filter((name) => name.startsWith('log/')).length);
  });

  test('leaves a log that does not say where it ends, instead of keeping waiting whoever plans an append', async () => {
    await record(1);
    const begun = performance.now();
    await expect(backUp({ log: { ...log, head: () => new Promise(() => undefined) } })).rejects.toThrow(
      /did not say within 2 s where it ends/,
    );
    expect(performance.now() - begun).toBeLessThan(5_000);
    const held = await client.query("select from pg_locks where locktype = 'relation' and mode = 'ShareLock'");
    expect(held.rowCount).toBe(0);
  });

  test('holds nothing any more of rows that were erased since', async () => {
    await record(1);
    await origin('somebody personal');
    await backUp();
    const holds = async () => {
      const texts = await Promise.all(
        (await files()).filter((name) => name.endsWith('.gz')).map((name) => readFile(path.join(folder, name))),
      );
      return texts.some((bytes) => gunzipSync(bytes).toString().includes('somebody personal'));
    };
    expect(await holds()).toBe(true);
    await client.query('delete from command.request_origins');
    await backUp();
    expect(await holds()).toBe(false);
  });

  test('is refused where the place holds another log, the log was set back, or a part is gone', async () => {
    await record(20);
    await backUp();
    expect(await refusal(backUp({ log: memoryEventLog({ id: '0000000c' }) }))).toContain(
      'holds a backup of another event log (0000000a; this one is 0000000c)',
    );
    const whole = log;
    log = memoryEventLog({ id: '0000000a' });
    await record(10);
    expect(await refusal(backUp())).toContain('the log was set back since');
    await record(30);
    expect(await refusal(backUp())).toContain('the log was set back since');
    log = whole;
    const [part] = (await files()).filter((name) => name.startsWith('log/'));
    await rm(path.join(folder, part as string));
    expect(await refusal(backUp())).toContain(`${part} is missing`);
  });

  test('is refused where files of others are, also in folders named like ours, and leaves those beside it', async () => {
    await record(1);
    const hex = '0'.repeat(64);
    const foreign = [
      'log/production.log',
      'keys/id_rsa',
      'tables/chairs.csv',
      `tables/public.chairs-00000001-${hex}.ndjson.gz`,
      `log/part-00000001-${hex}.ndjson.gz.bak`,
      'keys/0-private-key.pem',
      'letter.txt',
    ];
    for (const name of foreign) {
      const other = newFolder();
      await folderStore(other).write(name, Buffer.from('precious'));
      expect(await refusal(backUp({ store: folderStore(other) }))).toContain(
        `is neither empty nor a backup: it holds ${name}`,
      );
      expect(await files(other)).toEqual([name]);
    }
    await backUp();
    for (const name of foreign) await folderStore(folder).write(name, Buffer.from('precious'));
    await record(1);
    await backUp();
    expect(await files()).toEqual(expect.arrayContaining(foreign));
  });

  test('is refused in a folder of other things, and beside another backup', async () => {
    await record(1);
    const other = newFolder();
    await cp(new URL('.', import.meta.url), other, { recursive: true });
    expect(await refusal(backUp({ store: folderStore(other) }))).toMatch(/is neither empty nor a backup: it holds /);
    const session = await connected(database.url);
    await session.query('select pg_advisory_lock(7305120442)');
    expect(await refusal(backUp())).toContain('Another backup of this installation is under way');
    await session.end();
  });
});

describe('a backup that is cut', () => {
  class Cut extends Error {}
  /** Ends with the write of this number, before or after it was made. */
  const cutAt = (at: number, made: boolean): BackupStore => {
    const store = folderStore(folder);
    let writes = 0;
    return {
      ...store,
      async write(name, bytes) {
        const cut = ++writes === at;
        if (!cut || made) await store.write(name, bytes);
        if (cut) throw new Cut();
      },
    };
  };

  test('at any write leaves the backup before it whole, and goes on with what it wrote', async () => {
    await origin('agent');
    let cuts = 0;
    for (const made of [false, true])
      for (let at = 1, ended = false; !ended; at++) {
        folder = newFolder();
        log = memoryEventLog({ id: '0000000a' });
        await record(10);
        await backUp();
        await record(30);
        const cut = await backUp({ store: cutAt(at, made) }).then(
          () => null,
          (error: unknown) => error,
        );
        ended = cut === null;
        if (!ended) {
          expect(cut).toBeInstanceOf(Cut);
          cuts++;
        }
        const there = await verify();
        expect(there.events).toSatisfy((events) => events === 40 || (events === 10 && !ended));
        const result = await backUp();
        expect(result.events).toBe(40);
        // Parts of the log are written first, and not written again.
        if (at > 1 || made) expect(result.before).toBeGreaterThan(10);
        expect(await verify()).toMatchObject({ events: 40, content: { log: { events: 40 } } });
      }
    expect(cuts).toBeGreaterThan(10);
  });

  test('leaves a part aside that does not follow, and takes it away', async () => {
    await record(30);
    await backUp();
    const [first, second] = (await files()).filter((name) => name.startsWith('log/')) as [string, string];
    const other = newFolder();
    const place = folderStore(other);
    await place.write(first, await readFile(path.join(folder, first)));
    await place.write(second.replace('00000002', '00000003'), await readFile(path.join(folder, second)));
    const damaged = `log/part-00000002-${'0'.repeat(64)}.ndjson.gz`;
    await place.write(damaged, Buffer.from('damaged'));
    expect(await backUp({ store: place })).toMatchObject({ events: 30 });
    expect(await verify(null, place)).toMatchObject({ events: 30 });
    const kept = (await files(other)).filter((name) => name.startsWith('log/'));
    expect(kept).toEqual((await files()).filter((name) => name.startsWith('log/')));
  });
});

describe('a restore', () => {
  test('refuses a backup with any one byte changed, and writes nothing', { timeout: 60_000 }, async () => {
    const dataDir = newFolder();
    await ensureLocalIssuer(dataDir);
    await record(20);
    await origin('agent');
    await backUp({ keysOf: dataDir });
    const all = await files();
    expect(all.map((name) => name.split('/')[0])).toEqual(
      expect.arrayContaining(['keys', 'log', 'manifest.json', 'tables']),
    );
    await restored({}, async ({ restore, target, into }) => {
      const changed = async (name: string, change: (bytes: Buffer) => Buffer | null) => {
        const file = path.join(folder, name);
        const bytes = await readFile(file);
        const other = change(Buffer.from(bytes));
        if (other === null) await rm(file);
        else await writeFile(file, other);
        expect(await refusal(verify())).toContain(name);
        expect(await refusal(restore())).toContain(name);
        expect(await target.head()).toBe(target.start);
        expect((await into.query('select from command.request_origins')).rowCount).toBe(0);
        await writeFile(file, bytes);
      };
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...all),
          fc.nat(),
          fc.integer({ min: 1, max: 255 }),
          (name, offset, difference) =>
            changed(name, (bytes) => {
              const at = offset % bytes.length;
              bytes[at] = (bytes[at] as number) ^ difference;
              return bytes;
            }),
        ),
        { numRuns: 150 },
      );
      for (const name of all) {
        await changed(name, (bytes) => bytes.subarray(0, -1));
        await changed(name, (bytes) => Buffer.concat([bytes, Buffer.from('\n')]));
        if (name !== manifestName) await changed(name, () => null);
      }
      expect(await restore()).toMatchObject({ events: 20, rows: 1 });
    });
  });

  test('refuses parts that were exchanged, even under a manifest that agrees with them', async () => {
    await record(30);
    await backUp();
    const content = parseManifest(await readFile(path.join(folder, manifestName)));
    const [first, second, ...rest] = content.log.parts;
    const put = (changed: typeof content) => writeFile(path.join(folder, manifestName), manifestText(changed));
    await put({ ...content, log: { ...content.log, parts: [second!, first!, ...rest] } });
    expect(await refusal(verify())).toContain(`${second?.name} does not follow the part before it`);
    await put({ ...content, log: { ...content.log, events: 29 } });
    expect(await refusal(verify())).toContain('does not agree with the parts of the log');
    await put({ ...content, format: 2 as 1 });
    expect(await refusal(verify())).toContain('has format 2, this version of Cool Mint reads 1');
    await put({ ...content, tables: [{ table: 'command.later', columns: ['id'], rows: 0, parts: [] }] });
    await restored({}, async ({ restore }) =>
      expect(await refusal(restore())).toContain('command.later (id), which this version of Cool Mint does not know'),
    );
    await rm(path.join(folder, manifestName));
    expect(await refusal(verify())).toContain('manifest.json, which is written last, is not there');
    folder = newFolder();
    expect(await refusal(verify())).toContain('it is empty');
  });

  test.each([
    ['syncrun', 'SyncStarted', 99],
    ['selection', 'SelectionRenamed', 99],
    ['selection', 'SelectionPainted', 1],
  ])('refuses an event of a %s that only a newer version understands: %s %i', async (stream, type, schemaVersion) => {
    const event = newEvent('acme');
    const events = [{ ...event, type, metadata: { ...event.metadata, schemaVersion } }];
    await log.append([{ stream: `${stream}-${randomUUID()}`, expected: 'none', events }]);
    await backUp();
    const told = /does not know \(.*It was made by version 0\.0\.0-test: restore with/;
    expect(await refusal(verify())).toMatch(told);
    await restored({}, async ({ restore, target }) => {
      expect(await refusal(restore())).toMatch(told);
      expect(await target.head()).toBe(target.start);
    });
  });

  test.each(['check', 'restore'])(
    'a %s tells a newer backup made meanwhile from damage, whenever it comes',
    async (verb) => {
      const dataDir = newFolder();
      await ensureLocalIssuer(dataDir);
      await record(3);
      await origin('agent');
      await backUp({ keysOf: dataDir });
      const told: number[] = [];
      // Also of the log: the last part of a backup has room, so that a newer one puts another in its place.
      for (let at = 1, ended = false; !ended; at++) {
        let reads = 0;
        ended = true;
        const store = folderStore(folder);
        const beside: BackupStore = {
          ...store,
          async read(name) {
            if (++reads === at) {
              ended = false;
              await origin(`agent ${at}`);
              await record(1);
              await backUp({ keysOf: at % 2 ? null : dataDir });
            }
            return store.read(name);
          },
        };
        await restored({}, async ({ restore, target, into }) => {
          const work = verb === 'check' ? verify(null, beside) : restore({ store: beside });
          const error = await work.then(
            () => null,
            (thrown: unknown) => thrown,
          );
          if (error !== null) {
            expect(error).toBeInstanceOf(BackupRefused);
            expect((error as Error).message).toContain('A newer backup was made');
            told.push(at);
          }
          const { events } = await restore();
          expect(await eventsOf(target)).toEqual((await eventsOf(log)).slice(0, events));
          expect((await into.query('select from installation.restore')).rowCount).toBe(0);
        });
      }
      expect(told.length).toBeGreaterThan(0);
      expect(Math.min(...told)).toBeLessThan(4);
    },
  );

  test('refuses an installation that has events, and the one that was backed up', async () => {
    await record(5);
    await backUp();
    expect(await refusal(restored({ log }, ({ restore }) => restore()))).toContain(
      'has the event log that was backed up',
    );
    const target = memoryEventLog({ id: '0000000b' });
    await target.append([{ stream: 'selection-own', expected: 'none', events: [newEvent('acme')] }]);
    const head = await target.head();
    await expect(restored({ log: target }, ({ restore }) => restore())).rejects.toThrow(/event 1 differs/);
    expect(await target.head()).toBe(head);
  });

  test('that was cut goes on, and ends with the same', async () => {
    await record(60);
    await origin('agent');
    await backUp();
    for (const after of [1, 25, 59]) {
      const target = memoryEventLog({ id: '0000000b' });
      let appended = 0;
      const dying: EventLog = {
        ...target,
        append(appends) {
          if (appended++ >= after) return Promise.reject(new Error('cut'));
          return target.append(appends);
        },
      };
      await restored({ log: target }, async ({ restore, into }) => {
        await expect(
          restoreBackup({
            store: folderStore(folder),
            until: null,
            log: dying,
            client: into,
            dataDir: newFolder(),
            signal: never,
            onProgress: () => undefined,
          }),
        ).rejects.toThrow('cut');
        expect((await into.query('select from command.request_origins')).rowCount).toBe(0);
        expect(await restore()).toMatchObject({ before: after, events: 60, rows: 1 });
        expect(await eventsOf(target)).toEqual(await eventsOf(log));
      });
    }
  });

  test('up to a point leaves out what is later, also of rows; a position of another log is none', async () => {
    for (const second of [1, 2, 3, 4]) await record(5, { recordedAt: `2026-11-01T10:00:0${second}.000Z` });
    await origin('early', '2026-11-01T10:00:02.000Z');
    await origin('late', '2026-11-01T10:00:02.001Z');
    await client.query(
      "insert into command.planned_appends (stream, tenant, expected) values ('selection-p', 'acme', 3)",
    );
    await backUp();
    const agents = 'select user_agent from command.request_origins';
    await restored({ until: { time: '2026-11-01T10:00:02.999Z' } }, async ({ restore, into, target }) => {
      expect(await restore()).toMatchObject({ events: 10, cut: true, time: '2026-11-01T10:00:02.000Z', rows: 1 });
      expect(await eventsOf(target)).toEqual((await eventsOf(log)).slice(0, 10));
      expect((await into.query(agents)).rows).toEqual([{ user_agent: 'early' }]);
      expect((await into.query('select from command.planned_appends')).rowCount).toBe(0);
    });
    const { position } = (await log.readAll(log.start, 7)).events.at(-1) as RecordedEvent;
    await restored({ until: { position } }, async ({ restore }) => {
      expect(await restore()).toMatchObject({ events: 7, cut: true });
    });
    // Before the first event there is nothing, so nothing of the rows either.
    await restored({ until: { time: '2026-11-01T10:00:00.999Z' } }, async ({ restore, into, target }) => {
      expect(await restore()).toMatchObject({ events: 0, cut: true, time: null, rows: 0 });
      expect(await target.head()).toBe(target.start);
      for (const table of ['request_origins', 'planned_appends'])
        expect((await into.query(`select from command.${table}`)).rowCount, table).toBe(0);
    });
    // After the last event nothing is cut: all rows come.
    await restored({ until: { time: '2026-11-02T00:00:00.000Z' } }, async ({ restore, into }) => {
      expect(await restore()).toMatchObject({ events: 20, cut: false, rows: 3 });
      expect((await into.query('select from command.planned_appends')).rowCount).toBe(1);
    });
    expect(await refusal(verify({ position: '0000000c-0000000000000001' }))).toContain('is no position of the log');
  });

  test('has the plan of every append that was begun before its end, or nothing of it', async () => {
    await record(3);
    const other = await connected(database.url);
    let begun: Promise<unknown> | undefined;
    // As it is when the end is looked up, somebody plans an append and begins it.
    const plan = async () => {
      await other.query(
        "insert into command.planned_appends (stream, tenant, expected) values ('selection-p', 'acme', -1)",
      );
      await log.append([{ stream: 'selection-p', expected: 'none', events: [newEvent('acme')] }]);
    };
    const waits = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    const head = async () => {
      let done = false;
      begun = plan().then(() => {
        done = true;
      });
      await expect.poll(async () => done || (await client.query(waits)).rowCount === 1).toBe(true);
      return log.head();
    };
    await backUp({ log: { ...log, head } });
    await begun;
    await other.end();
    expect(await log.head()).not.toBe((await verify()).position);
    const { content, events } = await verify();
    const plans = content.tables.find(({ table }) => table === 'command.planned_appends')?.rows;
    expect([events, plans]).toEqual([3, 0]);
  });

  test('beside a database that was not lost keeps its rows, and lets leases say what the log says', async () => {
    await record(3);
    await origin('erased since');
    await backUp();
    await restored({}, async ({ restore, into }) => {
      await origin('of the database', '2026-01-01T00:00:00Z', into);
      await into.query(
        `insert into command.sync_leases (tenant, source, epoch, run, watermark) values ('acme', 'salesforce', 7, $1, '2026-10-01T00:00:00.000Z')`,
        [randomUUID()],
      );
      await into.query("insert into projector.generations values ('catalog', 1, 1, 'live')");
      await into.query(
        "insert into projector.checkpoints (projection, generation, slot, position) values ('catalog', 1, 0, '0000000a-0000000000000003')",
      );
      expect(await restore()).toMatchObject({ rows: null, staleViews: true });
      expect((await into.query('select user_agent from command.request_origins')).rows).toEqual([
        { user_agent: 'of the database' },
      ]);
      expect((await into.query('select epoch, run, watermark from command.sync_leases')).rows).toEqual([
        { epoch: '7', run: null, watermark: null },
      ]);
    });
  });
});
