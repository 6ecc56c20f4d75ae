/**
 * What a caller wrote it reads, where it says which position it must see: with warm caches, from every projection,
 * while the projector is delayed by a random 0 to 50 ms before each transaction. The control asks the same without the
 * header, to show that there was something to wait for.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Random, random } from '#shared/demo/random.ts';
import { activityId } from '#shared/events/stream-name.ts';
import { longTests } from '#shared/testing/config.ts';
import { testKafka } from '#shared/testing/test-kafka.ts';
import { type TestRedis, testRedis } from '#shared/testing/test-redis.ts';
import type { Answer, Api, Json } from './support/api.ts';
import { csvOf, importFiles, ndjsonOf } from './support/import-files.ts';
import { ids } from './support/source-data.ts';
import { isBehindGateway, type System, startSystem } from './support/system.ts';

/** Behind the gateway the projector is another process, which nothing delays: there is no control, and it is shorter. */
const trials = isBehindGateway() ? 240 : longTests() ? 10_000 : testKafka() ? 1_000 : 2_000;
const leastStale = isBehindGateway() ? 0 : trials / 10;
const control = leastStale > 0 ? `; of those that do not, at least ${leastStale} are` : '';
const tenants = 12;
const lanesOfTenant = 5;
const tasks = 40;

let system: System;
let redis: TestRedis | null;
const slow = random(50);
beforeAll(async () => {
  // Where there is a relay, it is delayed too, and the cache is the one that processes share.
  redis = testKafka() ? await testRedis() : null;
  system = await startSystem({
    pace: () => wait(slow.below(51)),
    relayPace: () => wait(slow.below(201)),
    env: () => (redis ? { REDIS_URL: redis.url } : {}),
  });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** Writes something and says how to see it. Only its own lane writes to a lane's selection and source. */
interface Trial {
  readonly position: string;
  readonly read: (headers?: Record<string, string>) => Promise<Answer>;
  readonly sees: (body: Json) => boolean;
}

class Lane {
  private readonly held = new Set<string>();
  private renames = 0;
  private imports = 0;
  private readonly api: Api;
  private readonly selection: string;
  private readonly source: string;
  private readonly draw: Random;
  constructor(api: Api, selection: string, source: string, draw: Random) {
    this.api = api;
    this.selection = selection;
    this.source = source;
    this.draw = draw;
  }

  async trial(): Promise<Trial> {
    const kind = this.draw.next();
    if (kind < 0.6) return this.select();
    if (kind < 0.95) return this.rename(kind < 0.8 ? 'selection' : 'audit');
    return this.import();
  }

  /** Read from the listing, which is cached: the same question was asked after the last write. */
  private async select(): Promise<Trial> {
    const { api, held, selection } = this;
    const id = activityId(api.tenant, 'salesforce', ids.task(this.draw.below(tasks)));
    const remove = held.has(id);
    const { position } = await api.ok(
      api.post(`/selections/${selection}/activities${remove ? '/remove' : ''}`, { ids: [id] }),
    );
    remove ? held.delete(id) : held.add(id);
    const wanted = [...held].sort().join();
    return {
      position,
      read: (headers) => api.get(`/activities?selection=${selection}&limit=200&sort=duration`, headers),
      sees: (body) =>
        body.data
          .map((row: Json) => row.id)
          .sort()
          .join() === wanted,
    };
  }

  private async rename(from: 'selection' | 'audit'): Promise<Trial> {
    const { api, selection } = this;
    const name = `Name ${this.renames++}`;
    const { position } = await api.ok(api.patch(`/selections/${selection}`, { name }));
    return from === 'selection'
      ? {
          position,
          read: (headers) => api.get(`/selections/${selection}`, headers),
          sees: (body) => body.name === name,
        }
      : {
          position,
          read: (headers) => api.get(`/audit?entity=selection-${selection}&action=SelectionRenamed&limit=1`, headers),
          sees: (body) => body.data[0]?.summary.name === name,
        };
  }

  private async import(): Promise<Trial> {
    const { api, source } = this;
    const status = `round ${this.imports++}`;
    const lines = [
      { id: 'one', status },
      { id: `more-${this.imports}`, status: 'other' },
    ];
    const { position, run } = await importFiles(api, [{ object: null, text: ndjsonOf(lines) }], { source });
    const one = activityId(api.tenant, source, 'one');
    return this.draw.chance(0.5)
      ? { position, read: (headers) => api.get(`/activities/${one}`, headers), sees: (body) => body.status === status }
      : {
          position,
          read: (headers) => api.get(`/sync-runs/${run}`, headers),
          sees: (body) => body.status === 'completed',
        };
  }
}

async function openLanes(): Promise<Lane[]> {
  const rows = Array.from({ length: tasks }, (_, index) => ({ Id: ids.task(index), Subject: `Task ${index}` }));
  const ofTenants = Array.from({ length: tenants }, async (_, tenant) => {
    const api = await system.api(`reader-${tenant}`);
    await importFiles(api, [{ object: 'Task', text: csvOf(rows) }]);
    const lanes = Array.from({ length: lanesOfTenant }, async (_lane, number) => {
      const opened = await api.ok(api.post('/selections', { name: 'new' }), 201);
      await api.ok(
        api.get(`/selections/${opened.body.id}`, { 'Cool-Mint-Min-Position': opened.position, Prefer: 'wait=30' }),
      );
      return new Lane(api, opened.body.id, `ndjson:lane-${number}`, random(tenant, number));
    });
    return Promise.all(lanes);
  });
  return (await Promise.all(ofTenants)).flat();
}

test(`of ${trials} reads that demand the position of the write before them none is stale${control}`, {
  timeout: 300_000,
}, async () => {
  const lanes = await openLanes();
  const stale: unknown[] = [];
  let done = 0;
  let staleWithout = 0;
  let refused = 0;
  const began = performance.now();
  await Promise.all(
    lanes.map(async (lane) => {
      while (done < trials) {
        done++;
        const { position, read, sees } = await lane.trial();
        const demand = { 'Cool-Mint-Min-Position': position, Prefer: 'wait=30' };
        const [without, answer] = await Promise.all([read(), read(demand)]);
        if (answer.status !== 200) refused++;
        else if (!sees(answer.body) || (answer.body.asOf.position as string) < position)
          stale.push({ position, body: answer.body });
        if (without.status === 404 || (without.status === 200 && !sees(without.body))) staleWithout++;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  console.info(
    `read your writes: ${done} trials in ${seconds.toFixed(1)} s; stale with the header ${stale.length}, without ${staleWithout}; refused ${refused}`,
  );
  expect(stale.slice(0, 2)).toEqual([]);
  expect(refused).toBe(0);
  expect(done).toBeGreaterThanOrEqual(trials);
  expect(staleWithout).toBeGreaterThanOrEqual(leastStale);
  expect(system.errors).toEqual([]);
  // Who demands nothing sees it too, as soon as the view has it: no cache keeps an answer beyond that.
  const last = await Promise.all(
    lanes.map(async (lane) => {
      const trial = await lane.trial();
      // Into the cache, most of the time as it was before.
      await trial.read();
      return trial;
    }),
  );
  await system.settle();
  for (const { read, sees } of last)
    await expect.poll(async () => sees((await read()).body), { timeout: 5_000 }).toBe(true);
});
