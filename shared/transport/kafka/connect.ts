/** Everything of Kafka that a process needs: made and checked at start, where it can say what is set up wrong. */
import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { SetupError } from '#shared/errors/setup-error.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { type KafkaSettings, kafkaClient, setupProblem } from '#shared/transport/kafka/client.ts';
import { ensureTopic, type TopicSettings } from '#shared/transport/kafka/topic.ts';

/** A broker that is started beside us is waited for so often, about ten seconds. */
const attempts = 12;

/** Rejects with a SetupError that says what to set, where Kafka cannot be used. */
export async function connectKafka(
  settings: KafkaSettings & TopicSettings,
  logger: Logger,
  runtime: Runtime,
): Promise<Kafka> {
  const kafka = await kafkaClient(settings, logger);
  for (let attempt = 1; ; attempt++) {
    const admin = kafka.admin();
    try {
      await admin.connect();
      await ensureTopic(admin, settings);
      return kafka;
    } catch (error) {
      if (error instanceof SetupError) throw error;
      const problem = setupProblem(error, settings);
      if (problem) throw new SetupError(problem);
      if (attempt >= attempts) throw noBroker(error, settings);
      await backOff(runtime, attempt, { base: 50, cap: 2_000 });
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

export const noBroker = (error: unknown, { brokers }: KafkaSettings): SetupError =>
  new SetupError(
    `KAFKA_BROKERS (${brokers}): no broker answers (${(error as Error).message}). Start it, correct KAFKA_BROKERS, or leave it unset to do without Kafka.`,
  );
