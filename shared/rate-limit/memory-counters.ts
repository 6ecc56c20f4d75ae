/** Counters of one process. The least recently used go first when there are too many: a flood of keys must not grow it. */
import { LRUCache } from 'lru-cache';
import type { Counters } from '#shared/rate-limit/counters.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const most = 50_000;

export function memoryCounters(runtime: Runtime): Counters {
  const windows = new LRUCache<string, { count: number; readonly endsAt: number }>({ max: most });
  return {
    async count(key, windowMilliseconds) {
      const now = runtime.now().getTime();
      const running = windows.get(key);
      const window = running && running.endsAt > now ? running : { count: 0, endsAt: now + windowMilliseconds };
      window.count++;
      windows.set(key, window);
      return { count: window.count, milliseconds: window.endsAt - now };
    },
  };
}
