import type { FastifyReply } from 'fastify';
import { Gauge } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const exportsUnderWay = new Gauge({
  name: 'cool_mint_exports_under_way',
  help: 'Exports that are being streamed to a caller.',
  registers: [registry],
});

/** Counts an answer as an export until it has ended, also where the caller goes away. */
export function countExport(reply: FastifyReply): void {
  exportsUnderWay.inc();
  reply.raw.once('close', () => exportsUnderWay.dec());
}
