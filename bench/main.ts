/**
 * `npm run bench`: us beside the bare machine, in one run on one database. Ratios count; absolute figures say as much
 * about the machine. `--json` prints one document; `--activities <n>` changes the size of the import; `--distributed` adds
 * the way through all servers (Kafka needs Java, and redis-server on the PATH).
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'pg';
import { pino } from 'pino';
import { issueToken } from '#shared/access/local-issuer.ts';
import { demoFiles } from '#shared/demo/demo-files.ts';
import type { NewEvent } from '#shared/event-log/event-log.ts';
import { postgresEventLog } from '#shared/event-log/postgres-event-log.ts';
import { startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { migrate } from '#shared/postgres/migrate.ts';
import { startDistributed } from './distributed.ts';
import { bareAppends, importedEvents, startEventStore } from './eventstore.ts';
import { measure, seconds } from './measure.ts';
import { type Client, clientOf, importFiles, okay, startProcess } from './service.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    activities: { type: 'string', default: '20000' },
    distributed: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

interface Line {
  readonly what: string;
  readonly ours: number;
  readonly bare: number | null;
  readonly unit: string;
  /** ours / bare; more is better for rates, less for times. */
  readonly ratio: number | null;
  readonly against: string;
}
const lines: Line[] = [];
function tell(what: string, ours: number, bare: number | null, unit: string, against: string): void {
  const line = {
    what,
    ours: round(ours),
    bare: bare === null ? null : round(bare),
    unit,
    ratio: bare === null ? null : round(ours / bare),
    against,
  };
  lines.push(line);
  if (!options.json)
    process.stdout.write(
      `${what.padEnd(46)} ${String(line.ours).padStart(10)} ${unit.padEnd(9)} ${bare === null ? '' : `${String(line.bare).padStart(10)} ${unit.padEnd(9)} ratio ${String(line.ratio).padStart(7)}`}  ${against}\n`,
    );
}
const round = (value: number) => Number(value.toPrecision(4));

async function benchAppend(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 16 });
  await migrate(url);
  const log = await postgresEventLog({ pool, directUrl: url });
  await pool.query('create table bare_insert (id uuid primary key, stream text, data json)');
  const data = { text: 'x'.repeat(600) };
  const event = (): NewEvent => ({
    id: randomUUID(),
    type: 'SelectionRenamed',
    data,
    metadata: {
      tenant: 'bench',
      recordedAt: new Date().toISOString(),
      actor: 'bench',
      commandId: randomUUID(),
      requestHash: '',
      correlationId: randomUUID(),
      causationId: null,
      traceparent: null,
      schemaVersion: 1,
    },
  });
  const append = () => log.append([{ stream: `selection-${randomUUID()}`, expected: 'none', events: [event()] }]);
  const insert = () =>
    pool.query('insert into bare_insert values ($1, $2, $3)', [randomUUID(), 'x', JSON.stringify(data)]);
  await measure(300, 16, append);
  await measure(300, 16, insert);
  const one = 'a plain insert per commit, one after another';
  tell(
    'append, one after another',
    (await measure(1_500, 1, append)).perSecond,
    (await measure(1_500, 1, insert)).perSecond,
    'events/s',
    one,
  );
  const many = 'plain inserts per commit, 16 connections';
  tell(
    'append, 64 callers at once',
    (await measure(20_000, 64, append)).perSecond,
    (await measure(10_000, 16, insert)).perSecond,
    'events/s',
    many,
  );
  await log.close();
  await pool.end();
}

async function benchImport(
  client: Client,
  url: string,
  token: string,
  databaseUrl: string,
  activities: number,
): Promise<void> {
  const files = demoFiles({ activities, seed: 1 });
  const { position, took: ours } = await importFiles(client, url, token, files);
  const visible = await seconds(() =>
    client
      .call('GET', '/api/v1/activities?limit=1', { headers: { 'cool-mint-min-position': position, prefer: 'wait=30' } })
      .then(okay),
  );
  // The bare machine: the same rows of the tasks, as text, by COPY-like bulk inserts into a plain table with one index.
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  await pool.query('create table bare_rows (line int primary key, row text)');
  const rows = files.flatMap((file) => [...file.rows()]);
  const bare = await seconds(async () => {
    for (let start = 0; start < rows.length; start += 5_000) {
      const some = rows.slice(start, start + 5_000);
      await pool.query('insert into bare_rows select * from unnest($1::int[], $2::text[])', [
        some.map((_, index) => start + index),
        some,
      ]);
    }
  });
  await pool.end();
  tell(
    `import of ${activities} activities`,
    activities / ours,
    activities / bare,
    'per s',
    'the same lines bulk-inserted as text, no parsing, no events',
  );
  tell('… until the last is visible, after the answer', visible * 1000, null, 'ms', '');
}

async function benchListing(client: Client): Promise<void> {
  const list = (route: string) =>
    client
      .call('GET', route)
      .then(okay)
      .then((response) => response.text());
  const cachedRoute = '/api/v1/activities?kind=call&limit=50';
  const size = (await list(cachedRoute)).length;
  const bare = await startProcess(['bench/bare-route.ts', String(size)], {});
  const bareCall = () => fetch(bare.url).then((response) => response.text());
  await measure(300, 8, bareCall);
  const bareSpread = await measure(3_000, 8, bareCall);
  await bare.stop();
  await measure(200, 8, () => list(cachedRoute));
  const cached = await measure(3_000, 8, () => list(cachedRoute));
  // Every question another one: the text differs, so nothing is in the cache.
  const uncached = await measure(400, 8, (index) =>
    list(
      `/api/v1/activities?kind=call&limit=50&occurredAt[gte]=2020-01-01T00:00:00.${String(index % 1000).padStart(3, '0')}Z`,
    ),
  );
  tell(
    'listing, cached',
    cached.perSecond,
    bareSpread.perSecond,
    'req/s',
    'a bare Fastify route that sends the same bytes',
  );
  tell('listing, uncached', uncached.perSecond, bareSpread.perSecond, 'req/s', 'the same');
  tell('listing, cached, p99', cached.p99, bareSpread.p99, 'ms', 'the same');
  tell('listing, uncached, p99', uncached.p99, bareSpread.p99, 'ms', 'the same');
}

async function benchVisible(client: Client): Promise<void> {
  const made = (await (
    await okay(await client.call('POST', '/api/v1/selections', { body: { name: 'bench' } }))
  ).json()) as { id: string };
  const times: number[] = [];
  const plain: number[] = [];
  for (let index = 0; index < 300; index++) {
    const answered = await okay(
      await client.call('PATCH', `/api/v1/selections/${made.id}`, { body: { name: `bench ${index}` } }),
    );
    const began = performance.now();
    const position = answered.headers.get('cool-mint-position') ?? '';
    const read = (await (
      await okay(
        await client.call('GET', `/api/v1/selections/${made.id}`, { headers: { 'cool-mint-min-position': position } }),
      )
    ).json()) as { name: string };
    times.push(performance.now() - began);
    if (read.name !== `bench ${index}`) throw new Error('a stale answer');
    const again = performance.now();
    await okay(await client.call('GET', `/api/v1/selections/${made.id}`)).then((response) => response.text());
    plain.push(performance.now() - again);
  }
  const at = (list: number[], share: number) => list.toSorted((a, b) => a - b)[Math.floor(list.length * share)] ?? 0;
  tell('command to visible, p50', at(times, 0.5), at(plain, 0.5), 'ms', 'the same read without waiting');
  tell('command to visible, p99', at(times, 0.99), at(plain, 0.99), 'ms', 'the same read without waiting');
}

/** Import on an EventStoreDB log beside bare appends of the same events. */
async function benchEventStore(dataDir: string, activities: number): Promise<void> {
  const server = await startEventStore();
  const prefix = `bench.${randomUUID().slice(0, 8)}.`;
  try {
    const env = { EVENTSTORE_URL: server.url, EVENTSTORE_STREAM_PREFIX: prefix };
    const service = await startService(dataDir, env);
    const began = await seconds(async () => {
      const token = await issueToken(dataDir, { tenant: 'main', actor: 'bench', hours: 1 });
      await importFiles(clientOf(service.url, token), service.url, token, demoFiles({ activities, seed: 1 }));
    }).finally(service.stop);
    const events = await importedEvents(server.url, prefix);
    tell(
      `import on EventStoreDB${server.double ? ' (the double)' : ''}`,
      events.length / began,
      await bareAppends(server.url, events),
      'events/s',
      'the same events appended one by one, 64 or 256 in flight, nothing else running',
    );
  } finally {
    await server.stop();
  }
}

/** A database beside the one that the others were measured in. */
async function ownDatabase(url: string): Promise<string> {
  const pool = new Pool({ connectionString: url, max: 1 });
  await pool.query('create database distributed');
  await pool.end();
  const own = new URL(url);
  own.pathname = '/distributed';
  return own.href;
}

/** How long a command takes to be seen, with every server between. */
async function benchDistributed(databaseUrl: string, dataDir: string): Promise<void> {
  await using running = await startDistributed(databaseUrl, dataDir);
  const log = running.double ? 'the double as the log' : 'EventStoreDB';
  const told = async (what: string, perSecond: number, seconds: number) => {
    const { sent, acknowledged } = await running.visible(perSecond, seconds);
    const at = `${perSecond.toPrecision(2)} a second, ${log}`;
    for (const figure of ['p50', 'p99'] as const) {
      tell(`command to visible, ${what}, ${figure}`, sent[figure], null, 'ms', `from sending it; ${at}`);
      tell(`… after its acknowledgement, ${figure}`, acknowledged[figure], null, 'ms', at);
    }
  };
  await told('idle', 10, 60);
  const most = Math.max(await running.most(32, 15), await running.most(64, 15));
  tell('commands that are seen, at most', most, null, 'per s', `each caller waits until it sees its own; ${log}`);
  await told('half load', most / 2, 30);
}

const startService = (dataDir: string, env: Record<string, string> = {}) =>
  startProcess(['--import', './shared/telemetry/start.ts', 'cli/main.ts', 'start'], {
    PORT: '0',
    ADMIN_PORT: '0',
    DATA_DIR: dataDir,
    DEMO: 'off',
    EVENTSTORE_URL: '',
    ...env,
  });

async function main(): Promise<void> {
  const activities = Number(options.activities);
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-bench-'));
  const logger = pino({ level: 'silent' });
  const postgres = await startEmbeddedPostgres({ dataDir: path.join(folder, 'append'), log: logger });
  try {
    await benchAppend(postgres.url);
    const dataDir = path.join(folder, 'service');
    const service = await startService(dataDir);
    try {
      const token = await issueToken(dataDir, { tenant: 'main', actor: 'bench', hours: 1 });
      const client = clientOf(service.url, token);
      await benchImport(client, service.url, token, postgres.url, activities);
      await benchListing(client);
      await benchVisible(client);
    } finally {
      await service.stop();
    }
    await benchEventStore(path.join(folder, 'eventstore'), activities);
    if (options.distributed) await benchDistributed(await ownDatabase(postgres.url), path.join(folder, 'distributed'));
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ node: process.version, lines }, null, 2)}\n`);
}

if (options.help) process.stdout.write('npm run bench -- [--json] [--activities 20000] [--distributed]\n');
else await main();
