/**
 * Repeatable chance. Each record draws from a generator of its own, seeded by (seed, what, index), so that any record
 * can be made without making those before it, and files can refer to each other without being kept in memory.
 */
export interface Random {
  /** 0 up to, but without, 1. */
  readonly next: () => number;
  /** 0 to n - 1. */
  readonly below: (n: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(from: readonly T[]) => T;
  /** The first whose weight, summed up, exceeds a draw. */
  readonly weighted: <T>(from: readonly (readonly [T, number])[]) => T;
}

/** Mixes numbers to 32 well-spread bits (the finaliser of MurmurHash3). */
export function mix(...parts: readonly number[]): number {
  let h = 0x9747b28c;
  for (const part of parts) {
    h = Math.imul(h ^ (part | 0), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13) ^ Math.floor(part / 2 ** 32), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/** mulberry32: 32 bits of state are plenty for the few dozen draws of one record. */
export function random(...seed: readonly number[]): Random {
  let state = mix(...seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: <T>(from: readonly T[]) => from[below(from.length)] as T,
    weighted: <T>(from: readonly (readonly [T, number])[]) => {
      let left = next() * from.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of from) {
        left -= weight;
        if (left < 0) return value;
      }
      return from[from.length - 1]?.[0] as T;
    },
  };
}
