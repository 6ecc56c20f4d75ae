/**
 * Everything that can go away goes away, by a seeded plan, while tenants import and a stream of commands is offered:
 * what was acknowledged is in the read models exactly once, and they are what a naive fold of the log says.
 * LONG=on is the long form; CHAOS_SEED makes another plan.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoFiles } from '#shared/demo/demo-files.ts';
import { random } from '#shared/demo/random.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { eventStoreLog } from '#shared/event-log/eventstoredb-event-log.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { freePort } from '#shared/runtime/free-port.ts';
import { longTests } from '#shared/testing/config.ts';
import { type Broker, startBroker } from '#shared/testing/kafka/broker.ts';
import { readLog } from '#shared/testing/read-log.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { type Answer, type Api, createApi } from '../support/api.ts';
import { differencesFromOracle, oracleOf } from '../support/compare.ts';
import { type ImportFile, sendPart, startRun } from '../support/import-files.ts';
import { readModelRows } from '../support/read-model-rows.ts';
import { projectRoot, type ServiceProcess, startService } from '../support/service-process.ts';
import { settled } from '../support/settled.ts';

const seed = Number(process.env['CHAOS_SEED'] ?? 20_261_205);
const size = longTests()
  ? { activities: 20_000, tenants: 24, perSecond: 50, seconds: 300, each: 5 }
  : { activities: 1_500, tenants: 6, perSecond: 20, seconds: 36, each: 1 };
/** An outage that takes longer than this to get over is one that nobody gets over. */
const patience = 120_000;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A process that is started again whenever it ends, until it is stopped. */
interface Supervised {
  readonly current: { readonly child: ChildProcess };
  /** Ends that nobody asked for, with the reason. */
  readonly ends: readonly string[];
  kill(milliseconds: number): Promise<void>;
  pause(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

function supervise(name: string, launch: () => ServiceProcess): Supervised {
  let current = launch();
  let down: Promise<void> | undefined;
  let stopped = false;
  const ends: string[] = [];
  const ended = (async () => {
    for (;;) {
      const { child, lines, errors } = current;
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      if (stopped) return;
      if (!down)
        ends.push(
          `${name} ended by itself with ${child.exitCode ?? child.signalCode}: ${lines.at(-1)} ${errors.join('').slice(-1_500)}`,
        );
      await (down ?? wait(200));
      if (stopped) return;
      current = launch();
    }
  })();
  return {
    get current() {
      return current;
    },
    ends,
    async kill(milliseconds) {
      down = wait(milliseconds);
      current.child.kill('SIGKILL');
      await down;
      down = undefined;
    },
    async pause(milliseconds) {
      const { child } = current;
      child.kill('SIGSTOP');
      await wait(milliseconds);
      child.kill('SIGCONT');
    },
    async stop() {
      stopped = true;
      current.child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The double with its journal, on its port. */
function startDouble(port: number, journal: string): ServiceProcess {
  const child = spawn(
    process.execPath,
    ['shared/testing/eventstoredb/main.ts', '--port', `${port}`, '--journal', journal],
    { cwd: projectRoot, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ready = once(child.stdout, 'data').then(() => ({ url: '', adminUrl: '', tokenFile: '' }));
  return { child, lines: [], errors, ready };
}

const services = {
  commands: ['command-service'],
  queries: ['query-service'],
  relay: ['projector', '--only', 'relay'],
  apply1: ['projector', '--only', 'apply'],
  apply2: ['projector', '--only', 'apply'],
  apply3: ['projector', '--only', 'apply'],
} as const;
type Part = keyof typeof services | 'double';

let folder: string;
let postgres: EmbeddedPostgres;
let redis: RedisServer;
let broker: Broker;
let eventStoreUrl: string;
let commandsUrl: string;
const parts = new Map<Part, Supervised>();
const supervised = (part: Part): Supervised => parts.get(part) as Supervised;

async function start(part: Part, launch: () => ServiceProcess): Promise<void> {
  const running = supervise(part, launch);
  parts.set(part, running);
  await (running.current as ServiceProcess).ready;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-chaos-'));
  const silent = { info: () => undefined, warn: () => undefined, error: console.error };
  [postgres, redis, broker] = await Promise.all([
    startEmbeddedPostgres({ dataDir: path.join(folder, 'database'), log: silent, durable: true }),
    startRedisServer(),
    startBroker(),
  ]);
  const doublePort = await freePort();
  await start('double', () => startDouble(doublePort, path.join(folder, 'journal.ndjson')));
  eventStoreUrl = `esdb://127.0.0.1:${doublePort}?tls=false`;
  const env = {
    DATABASE_URL: postgres.url,
    EVENTSTORE_URL: eventStoreUrl,
    KAFKA_BROKERS: broker.address,
    KAFKA_TOPIC: 'cool-mint.chaos',
    KAFKA_PARTITIONS: '6',
    REDIS_URL: redis.url,
  };
  const dataDir = path.join(folder, 'data');
  const port = await freePort();
  commandsUrl = `http://127.0.0.1:${port}`;
  await start('commands', () => startService(dataDir, { ...env, PORT: `${port}` }, services.commands));
  for (const part of ['queries', 'relay', 'apply1', 'apply2', 'apply3'] as const)
    await start(part, () => startService(dataDir, env, services[part]));
}, 180_000);

afterAll(async () => {
  for (const running of parts.values()) await running.stop();
  await broker?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/* What goes wrong, and when. */

const targets = ['relay', 'projector', 'broker', 'redis', 'postgres', 'double'] as const;
interface Disturbance {
  readonly target: (typeof targets)[number];
  /** Which of several. */
  readonly part: string;
  readonly how: 'kill' | 'pause';
  /** Milliseconds since the beginning. */
  readonly at: number;
  readonly length: number;
}

function planOf(): Disturbance[] {
  const draw = random(seed);
  const first = targets.map(() => draw.chance(0.5));
  const wanted = targets.flatMap((target, index) =>
    // Killed and paused by turns, so that the long form has both of each.
    Array.from({ length: size.each }, (_, turn) => ({
      target,
      part: target === 'projector' ? draw.pick(['apply1', 'apply2', 'apply3']) : target,
      how: (turn % 2 === 0) === first[index] ? ('kill' as const) : ('pause' as const),
    })),
  );
  const slot = (size.seconds * 1_000) / wanted.length;
  return wanted
    .map((one) => ({ one, place: draw.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }, index) => ({
      ...one,
      at: Math.round(slot * index + draw.below(slot / 2)),
      // Longer than the time to the next one now and then: two are away at once.
      length: 300 + draw.below(longTests() ? 8_000 : 4_000),
    }));
}

const postmaster = async (): Promise<number> =>
  Number((await readFile(path.join(folder, 'database', 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // A connection that ended meanwhile.
    }
  }
}

const childrenOf = (pid: number): number[] =>
  execFileSync('ps', ['--ppid', `${pid}`, '-o', 'pid='], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
    .map(Number);

async function postgresAnswers(): Promise<void> {
  const until = performance.now() + patience;
  for (;;) {
    const pool = new Pool({ connectionString: postgres.url, max: 1, connectionTimeoutMillis: 1_000 });
    pool.on('error', () => undefined);
    try {
      await pool.query('select 1');
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await wait(50);
    } finally {
      await pool.end();
    }
  }
}

async function disturb({ target, part, how, length }: Disturbance): Promise<void> {
  if (target === 'relay' || target === 'projector' || target === 'double') return supervised(part as Part)[how](length);
  if (target === 'postgres') {
    const pid = await postmaster();
    if (how === 'kill') {
      process.kill(pid, 'SIGKILL');
      // The watch of the embedded server starts it again.
      await wait(500);
      return postgresAnswers();
    }
    const all = [pid, ...childrenOf(pid)];
    signalAll(all, 'SIGSTOP');
    await wait(length);
    return signalAll(all, 'SIGCONT');
  }
  const server = target === 'broker' ? broker : redis;
  if (how === 'pause') {
    server.pause();
    await wait(length);
    return server.resume();
  }
  await server.kill();
  await wait(length);
  await server.restart();
}

/** Carries the plan out; answers how it went. */
async function carryOut(plan: readonly Disturbance[], since: number): Promise<string[]> {
  const done: string[] = [];
  const last = new Map<string, Promise<void>>();
  await Promise.all(
    plan.map(async (one) => {
      await wait(since + one.at - performance.now());
      // One that is still away is not sent away.
      const mine = (last.get(one.target) ?? Promise.resolve()).then(async () => {
        const begun = performance.now();
        await disturb(one);
        const [from, took] = [begun - since, performance.now() - begun].map((ms) => (ms / 1_000).toFixed(1));
        done.push(`${one.how} ${one.part} at ${from} s for ${took} s`);
      });
      last.set(one.target, mine);
      await mine;
    }),
  );
  return done;
}

/* What is asked of the system meanwhile. */

interface Acknowledged {
  readonly selection: string;
  readonly name: string;
}

const answers = new Map<string, number>();
const unexpected: string[] = [];
/** Milliseconds, and how it went. */
const waits: { readonly took: number; readonly told: string }[] = [];

/** Sends it again until it is accepted; refusals are counted by what they say. */
async function persistently(what: string, send: () => Promise<Answer>): Promise<Answer> {
  const begun = performance.now();
  const tries: string[] = [];
  for (;;) {
    const tried = performance.now();
    const answer = await send().catch((error: Error) => error);
    const status = answer instanceof Error ? 'no answer' : `${answer.status} ${answer.body?.code ?? ''}`.trim();
    tries.push(`${status} in ${Math.round(performance.now() - tried)} ms`);
    answers.set(status, (answers.get(status) ?? 0) + 1);
    if (!(answer instanceof Error)) {
      if (answer.status >= 200 && answer.status < 300) {
        waits.push({ took: performance.now() - begun, told: `${what}, at last ${tries.slice(-6).join(', ')}` });
        return answer;
      }
      if (answer.status !== 503 && answer.status !== 409)
        unexpected.push(`${what}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`);
    }
    if (performance.now() - begun > patience)
      throw new Error(
        `${what} is not accepted: ${answer instanceof Error ? answer.message : JSON.stringify(answer.body)}`,
      );
    await wait(250);
  }
}

async function importAll(api: Api, tenant: number): Promise<void> {
  const files: ImportFile[] = demoFiles({
    activities: Math.ceil(size.activities / size.tenants),
    seed: seed + tenant,
  }).map(({ object, rows }) => ({ object, text: [...rows()].join('') }));
  const who = `import of ${api.tenant}`;
  const run: string = (await persistently(`${who}, start`, () => startRun(api, files))).body.id;
  for (const [index, file] of files.entries())
    await persistently(`${who}, part ${index + 1}`, () => sendPart(api, run, index + 1, file));
  await persistently(`${who}, completion`, () => api.post(`/sync-runs/${run}/complete`));
}

/** Commands at their rate, whatever becomes of those before; answers all of them when all are acknowledged. */
async function offerCommands(apis: readonly Api[], since: number): Promise<Acknowledged[]> {
  const draw = random(seed, 2);
  const acknowledged: Acknowledged[] = [];
  const idle: { readonly api: Api; readonly selection: string }[] = [];
  const underWay: Promise<void>[] = [];
  const command = async (index: number): Promise<void> => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const name = `command ${index}`;
    const known = draw.chance(0.8) ? idle.splice(draw.below(idle.length), 1)[0] : undefined;
    const api = known?.api ?? (apis[index % apis.length] as Api);
    const answer = await persistently(name, () =>
      known
        ? api.patch(`/selections/${known.selection}`, { name }, headers)
        : api.post('/selections', { name, purpose: null }, headers),
    );
    const selection = known?.selection ?? (answer.body.id as string);
    acknowledged.push({ selection, name });
    idle.push({ api, selection });
  };
  for (let index = 0; index < size.perSecond * size.seconds; index++) {
    const due = since + (index * 1_000) / size.perSecond;
    if (due > performance.now()) await wait(due - performance.now());
    underWay.push(command(index));
  }
  say(`${underWay.length} commands offered in ${((performance.now() - since) / 1_000).toFixed(1)} s`);
  await Promise.all(underWay);
  return acknowledged;
}

test(`${size.activities} activities of ${size.tenants} tenants, ${size.perSecond} commands a second, each of six killed or paused ${size.each} times`, {
  timeout: longTests() ? 1_800_000 : 300_000,
}, async () => {
  const plan = planOf();
  say(`seed ${seed}; the plan:`);
  for (const { part, how, at, length } of plan)
    say(`  ${how} ${part} at ${(at / 1_000).toFixed(1)} s for ${(length / 1_000).toFixed(1)} s`);
  const apis = await Promise.all(
    Array.from({ length: size.tenants }, (_, index) =>
      createApi(commandsUrl, path.join(folder, 'data'), { tenant: `tenant-${index}` }),
    ),
  );

  const since = performance.now();
  const [done, acknowledged] = await Promise.all([
    carryOut(plan, since),
    offerCommands(apis, since),
    ...apis.map(async (api, index) => {
      // Some import is under way at any time.
      await wait((index * size.seconds * 1_000) / size.tenants);
      await importAll(api, index);
    }),
  ]);
  const seconds = (from: number) => ((performance.now() - from) / 1_000).toFixed(1);
  say(`as it went:\n  ${done.join('\n  ')}`);
  say(`${acknowledged.length} commands acknowledged in ${seconds(since)} s; waited longest:`);
  for (const { took, told } of waits.sort((a, b) => b.took - a.took).slice(0, 5))
    say(`  ${(took / 1_000).toFixed(1)} s: ${told}`);
  say(`answers: ${[...answers].map(([status, count]) => `${count} × ${status}`).join(', ')}`);

  const log = await eventStoreLog({ url: eventStoreUrl });
  const pool = new Pool({ connectionString: postgres.url, max: 4 });
  try {
    const quiet = performance.now();
    await settled(pool, await log.head(), patience);
    say(`all applied ${seconds(quiet)} s after the last answer`);
    const events = await readLog(log);
    const rows = await readModelRows(pool);
    const activities = rows.get([...rows.keys()].find((table) => /\.activities$/.test(table)) ?? '')?.length;
    say(`${events.length} events, ${activities} activities`);

    expect(differencesFromOracle(oracleOf(events), rows)).toEqual([]);
    expect(namesIn(events)).toEqual(namesOf(acknowledged));
    expect(acknowledged).toHaveLength(size.perSecond * size.seconds);
    expect(activities).toBe(Math.ceil(size.activities / size.tenants) * size.tenants);
    expect(done).toHaveLength(size.each * targets.length);
    expect(unexpected).toEqual([]);
    // Whatever was away, nobody else gave up.
    expect([...parts.values()].flatMap(({ ends }) => ends)).toEqual([]);
  } finally {
    await pool.end();
    await log.close();
  }
});

/** Names of each selection in their order. */
function namesOf(commands: readonly Acknowledged[]): ReadonlyMap<string, string[]> {
  const bySelection = Map.groupBy(commands, ({ selection }) => selection);
  return new Map([...bySelection].map(([selection, named]) => [selection, named.map(({ name }) => name)]));
}

const namesIn = (events: readonly RecordedEvent[]): ReadonlyMap<string, string[]> =>
  namesOf(
    events
      .filter(({ type }) => type === 'SelectionOpened' || type === 'SelectionRenamed')
      .map(({ stream, data }) => ({
        selection: stream.replace(/^selection-/, ''),
        name: (data as { name: string }).name,
      })),
  );
