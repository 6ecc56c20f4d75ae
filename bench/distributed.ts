/**
 * From a command to its being seen, through every server: command service, EventStoreDB (EVENTSTORE_URL, or the double),
 * relay, Kafka, projector, Postgres, Redis, query service, each a process of its own. Idle, and at half of the load that
 * it bears; and a listing with Redis there and away.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { issueToken } from '#shared/access/local-issuer.ts';
import { startBroker } from '#shared/testing/kafka/broker.ts';
import { startRedisServer } from '#shared/testing/redis-server.ts';
import { startEventStore } from './eventstore.ts';
import { type Spread, spreadOf } from './measure.ts';
import { type Client, clientOf, okay, startProcess } from './service.ts';

export interface Distributed extends AsyncDisposable {
  readonly double: boolean;
  /** Milliseconds from sending a command to the answer that shows it, and from its acknowledgement. */
  visible(perSecond: number, seconds: number): Promise<{ readonly sent: Spread; readonly acknowledged: Spread }>;
  /** Commands a second that so many callers get through, each waiting until it sees what it wrote. */
  most(callers: number, seconds: number): Promise<number>;
}

const tenants = 24;
/** More than callers, so that no two commands are about the same. */
const selectionsOfTenant = 8;

export async function startDistributed(databaseUrl: string, dataDir: string): Promise<Distributed> {
  await using stack = new AsyncDisposableStack();
  const eventStore = await startEventStore();
  stack.defer(() => eventStore.stop());
  const broker = stack.use(await startBroker());
  const redis = stack.use(await startRedisServer());
  const run = randomUUID().slice(0, 8);
  const env = {
    PORT: '0',
    ADMIN_PORT: '0',
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    EVENTSTORE_URL: eventStore.url,
    EVENTSTORE_STREAM_PREFIX: `bench.${run}.`,
    KAFKA_BROKERS: broker.address,
    KAFKA_TOPIC: `cool-mint.bench.${run}`,
    REDIS_URL: redis.url,
    LOG_LEVEL: 'info',
  };
  const start = async (service: string) => {
    const started = await startProcess(
      [
        '--disable-warning=TimeoutNegativeWarning',
        '--import',
        './shared/telemetry/start.ts',
        'cli/main.ts',
        'start',
        service,
      ],
      env,
    );
    stack.defer(started.stop);
    return started;
  };
  const commandService = await start('command-service');
  const queryService = await start('query-service');
  await start('projector');

  const selections: { readonly commands: Client; readonly queries: Client; readonly path: string }[] = [];
  for (let tenant = 0; tenant < tenants; tenant++) {
    const token = await issueToken(dataDir, { tenant: `bench-${tenant}`, actor: 'bench', hours: 1 });
    const [commands, queries] = [clientOf(commandService.url, token), clientOf(queryService.url, token)];
    for (let selection = 0; selection < selectionsOfTenant; selection++) {
      const made = await okay(await commands.call('POST', '/api/v1/selections', { body: { name: 'bench' } }));
      const { id } = (await made.json()) as { id: string };
      selections.push({ commands, queries, path: `/api/v1/selections/${id}` });
    }
  }

  let turn = 0;
  /** Renames the next tenant's selection, and reads it as of that. */
  async function once(): Promise<{ sent: number; acknowledged: number }> {
    const name = `bench ${turn}`;
    const { commands, queries, path } = selections[turn++ % selections.length] as (typeof selections)[number];
    const began = performance.now();
    const answer = await okay(await commands.call('PATCH', path, { body: { name } }));
    const acknowledged = performance.now();
    const position = answer.headers.get('cool-mint-position') ?? '';
    await answer.arrayBuffer();
    const read = await okay(
      await queries.call('GET', path, { headers: { 'cool-mint-min-position': position, prefer: 'wait=30' } }),
    );
    const { asOf } = (await read.json()) as { asOf: { position: string } };
    if (asOf.position < position) throw new Error('a stale answer');
    const ended = performance.now();
    return { sent: ended - began, acknowledged: ended - acknowledged };
  }
  for (let warm = 0; warm < 200; warm++) await once();

  const owned = stack.move();
  return {
    double: eventStore.double,
    async visible(perSecond, seconds) {
      const sent: number[] = [];
      const acknowledged: number[] = [];
      const under: Promise<void>[] = [];
      const began = performance.now();
      for (let index = 0; index < perSecond * seconds; index++) {
        // At its time, however long those before it take.
        const due = began + (index * 1000) / perSecond;
        if (due > performance.now()) await wait(due - performance.now());
        under.push(
          once().then((times) => {
            sent.push(times.sent);
            acknowledged.push(times.acknowledged);
          }),
        );
      }
      await Promise.all(under);
      const took = (performance.now() - began) / 1000;
      return { sent: spreadOf(sent, took), acknowledged: spreadOf(acknowledged, took) };
    },
    async most(callers, seconds) {
      let done = 0;
      const until = performance.now() + seconds * 1000;
      await Promise.all(
        Array.from({ length: callers }, async () => {
          while (performance.now() < until) {
            await once();
            done++;
          }
        }),
      );
      return done / seconds;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
