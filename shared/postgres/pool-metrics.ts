/** How many connections the pools of this process have, counted when metrics are asked for. */
import { Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

export interface PoolState {
  readonly active: number;
  readonly idle: number;
  /** Work that waits for a connection. */
  readonly waiting: number;
}

interface WatchedPool {
  readonly name: string;
  readonly most: number;
  /** Null when the pool has ended. */
  readonly state: () => PoolState | null;
}

const watched = new Set<WatchedPool>();

/** `name` is the label of the metrics; pools of one name are counted together. */
export function watchPool(pool: WatchedPool): void {
  watched.add(pool);
}

const registers = [registry];

new Gauge({
  name: 'cool_mint_database_connections',
  help: 'Connections to Postgres by pool (main, read-model) and state (active, idle); waiting is work that waits for one.',
  labelNames: ['pool', 'state'],
  registers,
  collect() {
    this.reset();
    for (const pool of watched) {
      const state = pool.state();
      if (!state) watched.delete(pool);
      for (const [name, count] of Object.entries(state ?? {})) this.inc({ pool: pool.name, state: name }, count);
    }
  },
});

new Gauge({
  name: 'cool_mint_database_connections_limit',
  help: 'Connections that a pool may have.',
  labelNames: ['pool'],
  registers,
  collect() {
    this.reset();
    for (const { name, most } of watched) this.inc({ pool: name }, most);
  },
});
