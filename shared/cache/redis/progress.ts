/**
 * How far the projections are, as Redis keeps it. For each projection the generation; for each of its slots a hash:
 *
 *   generation   of what follows; anything of another generation than the projection's is not known
 *   reached      the slot's checkpoint, as last told
 *   base         what tenants that are not listed stand at
 *   t:<tenant>   the tenant's last change, where it is later than the base
 *
 * What holds: up to `reached`, nothing of a tenant changed after max(base, t:<tenant>). A publication says from where to
 * where it goes. Where it begins later than `reached`, or says not where it begins, all tenants of the slot are taken as
 * changed: too new costs an answer computed anew, too old would cost freshness. All of it expires after five seconds
 * and is told again every second: of a projector that cannot reach Redis nothing stale is left behind.
 */
import type { ChainableCommander, Redis } from 'ioredis';
import type { LastChanged } from '#shared/cache/cache.ts';
import type { SlotSteps } from '#shared/cache/redis/own-slots.ts';
import { isPosition, type Position } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

/** Milliseconds until what is not told again is forgotten. */
export const progressMilliseconds = 5_000;
/** Tenants listed for a slot; beyond, the list is begun anew with all of them taken as changed. */
const tenantsListed = 1_000;

/**
 * One publication, at once. KEYS: generation, then a slot each. ARGV: generation, channel, projection, from and to of each
 * slot ("" where it is not known), then for each tenant the number of its slot in KEYS, its name and its last change.
 * Positions of one log compare as text.
 */
const publishScript = `
local generation, ttl, limit = ARGV[1], ${progressMilliseconds}, ${tenantsListed}
local known = redis.call('get', KEYS[1])
if known and tonumber(known) > tonumber(generation) then return 0 end
redis.call('set', KEYS[1], generation, 'PX', ttl)
for i = 2, #KEYS do
  local from, to = ARGV[2 * i], ARGV[2 * i + 1]
  local slot = redis.call('hmget', KEYS[i], 'generation', 'reached')
  local reached = slot[1] == generation and slot[2]
  local untold = not reached or from > reached or (from == '' and to > reached)
  if untold or redis.call('hlen', KEYS[i]) > limit then
    if reached and reached > to then to = reached end
    redis.call('del', KEYS[i])
    redis.call('hset', KEYS[i], 'generation', generation, 'reached', to, 'base', to)
  elseif to > reached then
    redis.call('hset', KEYS[i], 'reached', to)
  end
  redis.call('pexpire', KEYS[i], ttl)
end
for i = 2 * #KEYS + 2, #ARGV, 3 do
  local key, field, position = KEYS[tonumber(ARGV[i])], 't:' .. ARGV[i + 1], ARGV[i + 2]
  local stood = redis.call('hget', key, field) or redis.call('hget', key, 'base')
  if position > stood then redis.call('hset', key, field, position) end
end
redis.call('publish', ARGV[2], ARGV[3])
return 1`;

/** `prefix` ends before the projection. The braces keep a projection's keys on one node of a cluster. */
const generationKey = (prefix: string, projection: string) => `${prefix}{${projection}}:generation`;
const slotKey = (prefix: string, projection: string, slot: number) => `${prefix}{${projection}}:slot:${slot}`;

export async function tellProgress(client: Redis, prefix: string, channel: string, told: SlotSteps): Promise<void> {
  const { projection, generation, steps, tenants } = told;
  const keys = [generationKey(prefix, projection), ...steps.map(({ slot }) => slotKey(prefix, projection, slot))];
  const keyOfSlot = new Map(steps.map(({ slot }, index) => [slot, index + 2]));
  const changes = [...tenants].flatMap(([tenant, position]) => {
    const key = keyOfSlot.get(slotOf(tenant));
    return key === undefined ? [] : [key, tenant, position];
  });
  const moves = steps.flatMap(({ from, to }) => [from ?? '', to]);
  await client.eval(publishScript, keys.length, ...keys, generation, channel, projection, ...moves, ...changes);
}

/** Of a slot some fields, or null where it is not of the projection's generation. */
async function slotFields(client: Redis, prefix: string, projection: string, slot: number, fields: readonly string[]) {
  const pipeline: ChainableCommander = client
    .pipeline()
    .get(generationKey(prefix, projection))
    .hmget(slotKey(prefix, projection, slot), 'generation', ...fields);
  const [live, found] = ((await pipeline.exec()) ?? []).map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  const [generation, ...values] = (found ?? []) as (string | null)[];
  if (typeof live !== 'string' || live !== generation) return null;
  return { generation: Number(live), values };
}

const positionIn = (text: string | null | undefined): Position | null => (text && isPosition(text) ? text : null);

export async function readLastChanged(
  client: Redis,
  prefix: string,
  projection: string,
  tenant: string,
): Promise<LastChanged | null> {
  const found = await slotFields(client, prefix, projection, slotOf(tenant), ['base', `t:${tenant}`]);
  const position = positionIn(found?.values[1]) ?? positionIn(found?.values[0]);
  return found && position !== null ? { generation: found.generation, position } : null;
}

export async function readReached(
  client: Redis,
  prefix: string,
  projection: string,
  slot: number,
): Promise<Position | null> {
  const found = await slotFields(client, prefix, projection, slot, ['reached']);
  return positionIn(found?.values[0]);
}
