import { Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

/** Which version runs where; its value means nothing. */
export const buildInfo = new Gauge({
  name: 'cool_mint_build_info',
  help: 'The version of the process; always 1.',
  labelNames: ['version'],
  registers: [registry],
});
