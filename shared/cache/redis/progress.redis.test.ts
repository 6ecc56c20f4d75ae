/**
 * What must hold whatever becomes of publications: up to the position that Redis says a slot has reached, no tenant
 * changed later than Redis says. Two projectors take turns at one slot; what they tell is lost, late or told twice,
 * and Redis is flushed in between.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Progress } from '#shared/cache/cache.ts';
import { at, neighbours } from '#shared/cache/contract.ts';
import { ownSlots, type SlotSteps } from '#shared/cache/redis/own-slots.ts';
import { readLastChanged, readReached, tellProgress } from '#shared/cache/redis/progress.ts';
import { random } from '#shared/demo/random.ts';
import type { Position } from '#shared/event-log/position.ts';
import { type RedisServer, startRedisServer } from '#shared/testing/redis-server.ts';
import { slotOf } from '#shared/transport/slot.ts';

let redis: RedisServer;
let client: Redis;
beforeAll(async () => {
  redis = await startRedisServer();
  client = new Redis(redis.url);
});
afterAll(async () => {
  client.disconnect();
  await redis[Symbol.asyncDispose]();
});

const tenants = neighbours();
const slot = slotOf(tenants[0]);
const [prefix, projection] = ['test:', 'catalog'];

/** What is true, as the database has it: checkpoint, and each tenant's changes. */
interface Truth {
  checkpoint: number;
  readonly changes: { readonly tenant: string; readonly position: Position }[];
}

/** A projector with a process of its own; each step is a batch, or beginning anew where somebody else was faster. */
function projector(truth: Truth) {
  const own = ownSlots();
  let seen: number | null = null;
  const told = (assigned: boolean, changed: Progress['tenants']): SlotSteps =>
    own.stepsOf(
      {
        projection,
        generation: 1,
        assigned,
        tenants: changed,
        slots: new Map([[slot, at(truth.checkpoint)]]),
      },
      0,
    );
  return {
    step(changing: readonly string[]): SlotSteps {
      if (seen !== truth.checkpoint) {
        seen = truth.checkpoint;
        return told(true, new Map());
      }
      truth.checkpoint += changing.length + 1;
      seen = truth.checkpoint;
      const position = at(truth.checkpoint);
      for (const tenant of changing) truth.changes.push({ tenant, position });
      return told(false, new Map(changing.map((tenant) => [tenant, position])));
    },
    again: () => own.again(),
    restart(): void {
      seen = null;
    },
  };
}

async function check(truth: Truth): Promise<{ reached: Position; stood: Position[] } | null> {
  const reached = await readReached(client, prefix, projection, slot);
  const stood: Position[] = [];
  for (const tenant of tenants) {
    const known = await readLastChanged(client, prefix, projection, tenant);
    expect(known === null).toBe(reached === null);
    if (known === null || reached === null) continue;
    stood.push(known.position);
    const last = truth.changes.findLast((change) => change.tenant === tenant && change.position <= reached);
    expect(known.position >= (last?.position ?? '')).toBe(true);
    expect(reached <= at(truth.checkpoint)).toBe(true);
  }
  return reached === null ? null : { reached, stood };
}

test('whatever is lost, late, told twice or flushed: no tenant changed later than Redis says, and what it says only rises', async () => {
  let [checks, known, exact] = [0, 0, 0];
  for (let seed = 0; seed < 120; seed++) {
    const draw = random(6, seed);
    const truth: Truth = { checkpoint: 1, changes: [] };
    const projectors = [projector(truth), projector(truth)];
    const late: SlotSteps[] = [];
    const tell = (steps: SlotSteps) => tellProgress(client, prefix, 'test', steps);
    await client.flushall();
    let before: Awaited<ReturnType<typeof check>> = null;
    for (let step = 0; step < 40; step++) {
      const active = projectors[draw.chance(0.8) ? 0 : 1] as ReturnType<typeof projector>;
      const fate = draw.next();
      if (fate < 0.05) {
        await client.flushall();
        before = null;
      }
      if (fate > 0.95) active.restart();
      const messages = draw.chance(0.2) ? active.again() : [active.step(tenants.filter(() => draw.chance(0.4)))];
      for (const message of messages) {
        const becomes = draw.next();
        if (becomes < 0.5) await tell(message);
        else if (becomes < 0.7) late.push(message);
        else if (becomes < 0.8) await Promise.all([tell(message), tell(message)]);
      }
      while (late.length > 0 && draw.chance(0.3)) await tell(late.splice(draw.below(late.length), 1)[0] as SlotSteps);
      const now = await check(truth);
      if (before && now) {
        expect(now.reached >= before.reached).toBe(true);
        for (const [index, position] of now.stood.entries())
          expect(position >= (before.stood[index] as Position)).toBe(true);
      }
      before = now;
      checks++;
      if (now) known++;
      if (now?.stood.some((position) => position < now.reached)) exact++;
    }
  }
  // It is no use to know nothing, or to take everybody as changed all the time.
  expect(known).toBeGreaterThan(checks * 0.7);
  expect(exact).toBeGreaterThan(checks * 0.15);
});

test('a slot that stands while others go on is no longer vouched for', () => {
  const own = ownSlots();
  const to = (slots: readonly number[], position: number, now: number) =>
    own.stepsOf(
      {
        projection,
        generation: 1,
        assigned: position === 1,
        tenants: new Map(),
        slots: new Map(slots.map((one) => [one, at(position)])),
      },
      now,
    );
  to([1, 2], 1, 0);
  expect(own.again()[0]?.steps.map((step) => step.slot)).toEqual([1, 2]);
  to([1], 2, 60_000);
  expect(own.again()[0]?.steps).toEqual([{ slot: 1, from: at(2), to: at(2) }]);
});

test('of more tenants than a slot lists, none is taken as changed too early', async () => {
  await client.flushall();
  const slots = (position: number) => new Map([[slot, at(position)]]);
  const own = ownSlots();
  const publish = (position: number, assigned: boolean, changed: readonly string[]) =>
    tellProgress(
      client,
      prefix,
      'test',
      own.stepsOf(
        {
          projection,
          generation: 1,
          assigned,
          tenants: new Map(changed.map((tenant) => [tenant, at(position)])),
          slots: slots(position),
        },
        0,
      ),
    );
  const many: string[] = [];
  for (let number = 0; many.length < 1_100; number++) if (slotOf(`m-${number}`) === slot) many.push(`m-${number}`);
  await publish(1, true, []);
  await publish(2, false, many);
  // One that was late: the list is begun anew, but not at where that one was.
  await publish(1, false, []);
  expect(await readReached(client, prefix, projection, slot)).toBe(at(2));
  await publish(3, false, many);
  await publish(4, false, [tenants[0]]);
  for (const tenant of [many[0] as string, many.at(-1) as string])
    expect((await readLastChanged(client, prefix, projection, tenant))?.position).toBe(at(4));
  expect(await client.hlen(`${prefix}{${projection}}:slot:${slot}`)).toBeLessThan(10);
});
