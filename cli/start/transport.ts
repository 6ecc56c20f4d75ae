/** How events reach the projections: from the log itself, or where KAFKA_BROKERS is set through a relay and a topic. */
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { StartConfig } from '#cli/start/config.ts';
import type { Role } from '#cli/start/roles.ts';
import { type Relay, startRelay } from '#projector/start-relay.ts';
import { SetupError } from '#shared/errors/setup-error.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { directTransport } from '#shared/transport/direct-transport.ts';
import type { KafkaSettings } from '#shared/transport/kafka/client.ts';
import { connectKafka } from '#shared/transport/kafka/connect.ts';
import { kafkaPublisher } from '#shared/transport/kafka/publisher.ts';
import { kafkaTransport } from '#shared/transport/kafka-transport.ts';
import type { Transport } from '#shared/transport/transport.ts';

export interface StartedTransport {
  /** Null where this process applies nothing. */
  readonly transport: Transport | null;
  /** Null where none is needed, or this process is none. */
  readonly relay: Relay | null;
  stop(): Promise<void>;
}

export interface TransportParts {
  readonly config: StartConfig;
  readonly pool: Pool;
  readonly log: EventLog;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly roles: readonly Role[];
  readonly signal?: AbortSignal;
  readonly pace?: () => Promise<void>;
}

export const kafkaSettings = (config: StartConfig, brokers: string): KafkaSettings => ({
  brokers,
  tls: config.KAFKA_TLS === 'on',
  tlsCaFile: config.KAFKA_TLS_CA_FILE,
  saslMechanism: config.KAFKA_SASL_MECHANISM,
  saslUsername: config.KAFKA_SASL_USERNAME,
  saslPasswordFile: config.KAFKA_SASL_PASSWORD_FILE,
});

export async function startTransport(parts: TransportParts): Promise<StartedTransport> {
  const { config, pool, log, logger, runtime, roles, signal, pace } = parts;
  const [relays, applies] = [roles.includes('relay'), roles.includes('apply')];
  const nothing = { transport: null, relay: null, stop: async () => undefined };
  if (!relays && !applies) return nothing;
  const brokers = config.KAFKA_BROKERS;
  if (!brokers) {
    if (!applies)
      throw new SetupError('KAFKA_BROKERS: a relay sends the log to Kafka. Set it, or do without a relay of its own.');
    return { ...nothing, transport: directTransport(log, runtime) };
  }
  const topic = config.KAFKA_TOPIC;
  const kafka = await connectKafka(
    {
      ...kafkaSettings(config, brokers),
      topic,
      partitions: config.KAFKA_PARTITIONS,
      retentionHours: config.KAFKA_RETENTION_HOURS,
      replicationFactor: config.KAFKA_REPLICATION_FACTOR,
    },
    logger,
    runtime,
    signal,
  );
  const transport = applies ? kafkaTransport({ kafka, topic, logId: log.id, runtime }) : null;
  if (!relays) return { ...nothing, transport };
  const publisher = await kafkaPublisher(kafka, topic, runtime);
  const relay = startRelay({ pool, log, publisher, logger, runtime, ...(pace ? { pace } : {}) });
  return {
    transport,
    relay,
    async stop() {
      await relay.stop();
      await publisher.close();
    },
  };
}
