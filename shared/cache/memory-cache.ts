/** The cache of one process: answers by bytes, least recently used first out. */
import { LRUCache } from 'lru-cache';
import type { Cache, CachedAnswer, LastChanged } from '#shared/cache/cache.ts';
import { cacheMetrics } from '#shared/cache/metrics.ts';
import { wakeUps } from '#shared/cache/wake-ups.ts';
import { laterOf, type Position } from '#shared/event-log/position.ts';
import { slotOf } from '#shared/transport/slot.ts';

const defaultBytes = 32 * 1024 * 1024;

interface ProjectionProgress {
  generation: number;
  readonly tenants: LRUCache<string, Position>;
  /** What tenants that are not listed stand at: the slot's checkpoint when its projector began. */
  readonly base: Map<number, Position>;
  readonly slots: Map<number, Position>;
}

export interface MemoryCacheOptions {
  readonly maxBytes?: number;
  /**
   * Other processes may apply what this one had applied before (slots are shared through Kafka): then nothing that it
   * published tells when a tenant changed last, and the database is asked.
   */
  readonly slotsMove?: boolean;
}

export function memoryCache(options: MemoryCacheOptions = {}): Cache {
  const answers = new LRUCache<string, { readonly answer: CachedAnswer; readonly bytes: number }>({
    maxSize: options.maxBytes ?? defaultBytes,
    sizeCalculation: (entry) => entry.bytes,
  });
  const projections = new Map<string, ProjectionProgress>();
  const waiting = wakeUps();

  const progressOf = (projection: string, generation: number): ProjectionProgress => {
    let known = projections.get(projection);
    if (!known || known.generation < generation) {
      known = { generation, tenants: new LRUCache({ max: 10_000 }), base: new Map(), slots: new Map() };
      projections.set(projection, known);
    }
    return known;
  };

  return {
    async publish({ projection, generation, assigned, tenants, slots }) {
      const known = progressOf(projection, generation);
      if (known.generation !== generation) return;
      if (assigned) {
        // What was known of tenants may be old; that nothing is known beyond where each slot was is not.
        known.tenants.clear();
        for (const [slot, position] of known.slots) known.base.set(slot, position);
        for (const [slot, position] of slots)
          known.base.set(slot, laterOf(position, known.slots.get(slot) ?? position));
      }
      for (const [tenant, position] of tenants)
        known.tenants.set(tenant, laterOf(position, known.tenants.get(tenant) ?? position));
      for (const [slot, position] of slots) {
        if (!known.base.has(slot)) known.base.set(slot, position);
        known.slots.set(slot, laterOf(position, known.slots.get(slot) ?? position));
      }
      waiting.wake(projection);
    },
    async lastChanged(projection, tenant): Promise<LastChanged | null> {
      if (options.slotsMove) return null;
      const known = projections.get(projection);
      const slot = slotOf(tenant);
      // A tenant that fell out of the list stands at its slot's checkpoint: too new is safe, too old is not.
      const base = known && (known.tenants.size >= 10_000 ? known.slots.get(slot) : known.base.get(slot));
      if (!known || base === undefined) return null;
      return { generation: known.generation, position: laterOf(known.tenants.get(tenant) ?? base, base) };
    },
    async reached(projection, slot) {
      return projections.get(projection)?.slots.get(slot) ?? null;
    },
    async get(key) {
      const answer = answers.get(key)?.answer ?? null;
      cacheMetrics.answers.inc({ level: 'memory', result: answer ? 'hit' : 'miss' });
      return answer;
    },
    async set(key, answer) {
      const bytes =
        key.length + Buffer.byteLength(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
      answers.set(key, { answer, bytes });
    },
    published: waiting.next,
    close: async () => undefined,
  };
}
