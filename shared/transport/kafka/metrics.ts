import { Counter } from 'prom-client';
import { registry } from '#shared/telemetry/registry.ts';

const labelNames = ['reader'] as const;
const registers = [registry];

export const kafkaMetrics = {
  foreign: new Counter({
    name: 'cool_mint_kafka_foreign_records_total',
    help: 'Records on the topic that are of another event log, of somebody else, or damaged.',
    labelNames,
    registers,
  }),
  losers: new Counter({
    name: 'cool_mint_kafka_loser_records_total',
    help: 'Records of a relay that had lost its lease, after those of its successor.',
    labelNames,
    registers,
  }),
};
