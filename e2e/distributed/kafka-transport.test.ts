import { pino } from 'pino';
import { startRelay } from '#projector/start-relay.ts';
import { memoryEventLog } from '#shared/event-log/memory-event-log.ts';
import { createPool } from '#shared/postgres/pool.ts';
import { systemRuntime } from '#shared/runtime/runtime.ts';
import { createTestDatabase } from '#shared/testing/test-database.ts';
import { type TestKafka, testKafka } from '#shared/testing/test-kafka.ts';
import { transportContract } from '#shared/transport/contract.ts';
import { connectKafka } from '#shared/transport/kafka/connect.ts';
import { kafkaPublisher } from '#shared/transport/kafka/publisher.ts';
import { kafkaTransport } from '#shared/transport/kafka-transport.ts';

transportContract('Kafka', async () => {
  const runtime = systemRuntime;
  const logger = pino({ level: 'silent' });
  const database = await createTestDatabase();
  const pool = createPool(database.url, 'test', 5, logger);
  const log = memoryEventLog();
  const { brokers, topic } = testKafka() as TestKafka;
  const kafka = await connectKafka(
    { brokers, topic, partitions: 6, retentionHours: 1, replicationFactor: 1 },
    logger,
    runtime,
  );
  const publisher = await kafkaPublisher(kafka, topic, systemRuntime);
  const relay = startRelay({ pool, log, publisher, logger, runtime });
  return {
    log,
    transport: kafkaTransport({ kafka, topic, logId: log.id, runtime }),
    async close() {
      await relay.stop();
      await publisher.close();
      await pool.end();
      await database.drop();
    },
  };
});
