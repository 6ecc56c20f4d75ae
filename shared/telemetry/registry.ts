import { collectDefaultMetrics, Registry } from 'prom-client';

/** All metrics of this process; served at /metrics on the admin port. */
export const registry = new Registry();
collectDefaultMetrics({ register: registry });
