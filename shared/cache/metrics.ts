import { Counter, Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const registers = [registry];

export const cacheMetrics = {
  answers: new Counter({
    name: 'cool_mint_cache_answers_total',
    help: 'Answers asked of a level of the cache (memory, redis), by result (hit, miss, unavailable).',
    labelNames: ['level', 'result'],
    registers,
  }),
  failures: new Counter({
    name: 'cool_mint_redis_failures_total',
    help: 'Redis commands that failed, by reason (timeout, connection, refused); those not sent while it is away are not counted.',
    labelNames: ['reason'],
    registers,
  }),
  breaker: new Gauge({
    name: 'cool_mint_redis_breaker_state',
    help: 'Circuit breaker of Redis: 0 closed (in use), 1 half-open (being tried), 2 open (away).',
    registers,
  }),
};

// A counter that appears with its first failure has no rate of it.
for (const reason of ['timeout', 'connection', 'refused']) cacheMetrics.failures.inc({ reason }, 0);
