/** A Redis that is slow, paused, killed, flushed or full costs milliseconds, and nothing else. */

import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Cache } from '#shared/cache/cache.ts';
import { type CacheSettings, connectCache } from '#shared/cache/connect.ts';
import { at, neighbours, progressOf } from '#shared/cache/contract.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { registry } from '#shared/telemetry/registry.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { slotOf } from '#shared/transport/slot.ts';

const lines: string[] = [];
const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
const tenants = neighbours();
const [acme, globex] = tenants;
const answer = { asOf: { position: at(1), time: null }, body: '{}' };

let redis: RedisServer;
let opened: Cache[];
const open = async (more: Partial<CacheSettings> = {}): Promise<Cache> => {
  const cache = await connectCache({ redisUrl: redis.url, logId: '00000001', logger, runtime: systemRuntime, ...more });
  opened.push(cache);
  return cache;
};

beforeEach(async () => {
  redis = await startRedisServer();
  opened = [];
  lines.length = 0;
});
afterEach(async () => {
  await Promise.all(opened.map((cache) => cache.close()));
  await redis[Symbol.asyncDispose]();
});

const changed = async (cache: Cache, tenant: string) => (await cache.lastChanged('catalog', tenant))?.position ?? null;
const begin = (cache: Cache, position: number) =>
  cache.publish(progressOf('catalog', position, {}, { assigned: true, slotsOf: tenants }));

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** For tests that are not about time-outs. */
const patient = { timeouts: { read: 5_000, write: 5_000 } };

/** What a request does. */
async function ask(cache: Cache): Promise<void> {
  await cache.lastChanged('catalog', acme);
  await cache.get('never stored');
  await cache.set('never asked', answer);
  await cache.reached('catalog', 1);
  await cache.publish(progressOf('catalog', 1, {}));
}

const metric = async (name: string, labels: Record<string, string>): Promise<number> => {
  const found = (await registry.getSingleMetric(name)?.get())?.values.find(({ labels: of }) =>
    Object.entries(labels).every(([label, value]) => of[label] === value),
  );
  return found?.value ?? 0;
};

test('paused: three time-outs, then nothing waits; running again: it is used again', async () => {
  const cache = await open();
  await begin(cache, 5);
  const timeouts = await metric('cool_mint_redis_failures_total', { reason: 'timeout' });
  redis.pause();
  // Others use the machine too: each time-out is 20 or 50 ms, and there may be three, one of them our own repetition.
  expect(await milliseconds(() => ask(cache))).toBeLessThan(400);
  expect(await metric('cool_mint_redis_breaker_state', {})).toBeGreaterThan(0);
  expect(await metric('cool_mint_redis_failures_total', { reason: 'timeout' })).toBe(timeouts + 3);
  // How far a projector of this process is, it knows without Redis.
  expect(await cache.reached('catalog', slotOf(acme))).toBe(at(5));
  expect(
    await milliseconds(async () => {
      for (let times = 0; times < 2_000; times++) await ask(cache);
    }),
  ).toBeLessThan(1_000);
  redis.resume();
  await expect.poll(() => changed(cache, acme), { timeout: 10_000 }).toBe(at(5));
  expect(await metric('cool_mint_redis_breaker_state', {})).toBe(0);
  expect(lines.filter((line) => line.includes('Redis is away'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('Redis is back'))).toHaveLength(1);
});

test('killed under load: no call fails or waits long; started again: it is used again, by readers and listeners', async () => {
  const [projector, reader] = [await open(), await open()];
  await begin(projector, 5);
  let asking = true;
  let longest = 0;
  const load = Array.from({ length: 20 }, async () => {
    while (asking) {
      longest = Math.max(longest, await milliseconds(() => ask(reader)));
      await new Promise(setImmediate);
    }
  });
  await expect.poll(() => changed(reader, acme)).toBe(at(5));
  await redis.kill();
  await expect.poll(() => changed(reader, acme)).toBeNull();
  await redis.restart();
  // It came back empty; the projector tells again what it knows, without having anything new to tell.
  await expect.poll(() => changed(reader, acme), { timeout: 15_000 }).toBe(at(5));
  asking = false;
  await Promise.all(load);
  expect(longest).toBeLessThan(500);
  const stop = new AbortController();
  let woken = false;
  void reader.published('catalog', stop.signal).then(() => {
    woken = true;
  });
  await expect
    .poll(
      async () => {
        await projector.publish(progressOf('catalog', 6, { [acme]: 6 }));
        return woken;
      },
      { timeout: 15_000 },
    )
    .toBe(true);
});

test('away at the start, it is used as soon as it is there', async () => {
  await redis.kill();
  let cache: Cache | undefined;
  expect(
    await milliseconds(async () => {
      cache = await open();
    }),
  ).toBeLessThan(3_000);
  await begin(cache as Cache, 5);
  expect(await changed(cache as Cache, acme)).toBeNull();
  await redis.restart();
  await expect.poll(() => changed(cache as Cache, acme), { timeout: 15_000 }).toBe(at(5));
});

test('paused for ever, closing ends in time', async () => {
  const cache = await open();
  redis.pause();
  await ask(cache);
  expect(await milliseconds(() => cache.close())).toBeLessThan(3_000);
  expect(await cache.get('x')).toBeNull();
});

test('after a flush nothing is known, or what is true; an answer that was in memory stays as true as it was', async () => {
  const [projector, reader] = [await open(patient), await open(patient)];
  await begin(projector, 5);
  await projector.publish(progressOf('catalog', 9, { [acme]: 9 }));
  await reader.set('key', answer);
  await redis.command('flushall');
  expect([null, at(9)]).toContain(await changed(reader, acme));
  expect(await reader.get('key')).toEqual(answer);
  await expect.poll(() => changed(reader, acme), { timeout: 10_000 }).toBe(at(9));
  // Which of the two changed last is forgotten; both are taken as changed.
  expect(await changed(reader, globex)).toBe(at(9));
});

/** Between a cache and Redis; cut, it looks like a network that takes no connection; slow, like one that is far. */
async function cable(port: number) {
  const sockets = new Set<Socket>();
  let delay = 0;
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    near.pipe(far);
    far.on('data', (chunk) => (delay > 0 ? setTimeout(() => near.write(chunk), delay) : near.write(chunk)));
    far.on('end', () => near.end());
  });
  const listen = async (at: number) => {
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };
  const own = await listen(0);
  return {
    url: `redis://127.0.0.1:${own}`,
    async cut() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    mend: () => listen(own),
    slow(milliseconds: number) {
      delay = milliseconds;
    },
  };
}

test('a projector that cannot reach Redis: what it told before is forgotten in seconds; what was lost is known by its next word', async () => {
  const line = await cable(redis.port);
  const [projector, reader] = [await open({ redisUrl: line.url }), await open()];
  await begin(projector, 5);
  await projector.publish(progressOf('catalog', 9, { [acme]: 9 }));
  expect(await changed(reader, acme)).toBe(at(9));
  await line.cut();
  // Lost: nobody but the database knows that globex changed.
  await projector.publish(progressOf('catalog', 12, { [globex]: 12 }));
  await expect.poll(() => changed(reader, globex), { timeout: 10_000 }).toBeNull();
  await line.mend();
  await expect.poll(() => changed(reader, globex), { timeout: 15_000 }).toBe(at(12));
  await line.cut();
});

test('a slow one is left alone, more and more', async () => {
  const line = await cable(redis.port);
  const cache = await open({ redisUrl: line.url });
  await begin(cache, 5);
  line.slow(40);
  let asked = 0;
  const took = await milliseconds(async () => {
    for (const until = performance.now() + 3_000; performance.now() < until; asked++) {
      await ask(cache);
      await new Promise(setImmediate);
    }
  });
  // By the millisecond. Were each asked, three of its five calls would wait, for 90 ms.
  expect(asked / took).toBeGreaterThan(1);
  line.slow(0);
  await expect.poll(() => changed(cache, acme), { timeout: 15_000 }).toBe(at(5));
  await line.cut();
});

test('a publication that timed out and was applied nevertheless takes nothing back', async () => {
  const [first, second] = [await open(), await open()];
  await begin(first, 5);
  redis.pause();
  await first.publish(progressOf('catalog', 7, { [acme]: 7 }));
  redis.resume();
  // Another projector took over meanwhile.
  await expect
    .poll(
      async () => {
        await second.publish(progressOf('catalog', 8, {}, { assigned: true, slotsOf: tenants }));
        await second.publish(progressOf('catalog', 9, { [globex]: 9 }));
        return changed(second, globex);
      },
      { timeout: 10_000 },
    )
    .toBe(at(9));
  for (let times = 0; times < 5; times++) {
    await first.publish(progressOf('catalog', 7, { [acme]: 7 }));
    expect(((await changed(second, acme)) ?? '') >= at(7)).toBe(true);
    expect(await changed(second, globex)).toBe(at(9));
  }
});

test('turned into a replica, it is not written to and harms nobody; what it knew is forgotten in seconds', async () => {
  const cache = await open();
  await begin(cache, 5);
  await redis.command('replicaof', '127.0.0.1', '1');
  await cache.publish(progressOf('catalog', 9, { [acme]: 9 }));
  await expect.poll(() => changed(cache, acme), { timeout: 10_000 }).toBeNull();
  expect(lines.filter((line) => line.includes('Redis refuses a command'))).toHaveLength(1);
  expect(await metric('cool_mint_redis_breaker_state', {})).toBe(0);
  await redis.command('replicaof', 'no', 'one');
  await expect.poll(() => changed(cache, acme), { timeout: 10_000 }).toBe(at(9));
});

test('what somebody else wrote under our keys is not taken for an answer', async () => {
  const cache = await open(patient);
  await redis.command('set', 'cool-mint:1:00000001:answer:k', 'nonsense');
  expect(await cache.get('k')).toBeNull();
  await begin(cache, 5);
  const key = ((await redis.command('keys', '*slot*')) as string[])[0] as string;
  await redis.command('del', key);
  await redis.command('set', key, 'no hash');
  expect(await changed(cache, acme)).toBeNull();
  expect(await metric('cool_mint_redis_breaker_state', {})).toBe(0);
});

test('very large answers stay in the process; installations with other logs see nothing of each other', async () => {
  const [cache, other] = [await open(patient), await open(patient)];
  await cache.set('large', { ...answer, body: 'x'.repeat(600 * 1024) });
  await cache.set('small', answer);
  await expect.poll(() => other.get('small')).toEqual(answer);
  expect(await other.get('large')).toBeNull();
  expect(await cache.get('large')).not.toBeNull();
  const foreign = await open({ ...patient, logId: '00000002' });
  await begin(cache, 5);
  expect(await changed(foreign, acme)).toBeNull();
  expect(await foreign.get('small')).toBeNull();
  for (const key of (await redis.command('keys', '*')) as string[])
    expect(Number(await redis.command('pttl', key))).toBeGreaterThan(0);
});
