/** Everything of Kafka that a process needs: made and checked at start, where it can say what is set up wrong. */
import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { SetupError } from '#shared/errors/setup-error.ts';
import { backOff } from '#shared/runtime/backoff.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { isHangUp, type KafkaSettings, kafkaClient, setupProblem } from '#shared/transport/kafka/client.ts';
import { ensureTopic, type TopicSettings } from '#shared/transport/kafka/topic.ts';

/** A broker that is started beside us is waited for so long. */
const patienceMilliseconds = 12_000;
/** One that is starting or ending hangs up now and then: that means something only where it goes on. */
const hangUps = 3;

/** Rejects with a SetupError that says what to set, where Kafka cannot be used; as the client does, where it is aborted. */
export async function connectKafka(
  settings: KafkaSettings & TopicSettings,
  logger: Logger,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Kafka> {
  const kafka = await kafkaClient(settings, logger);
  const until = runtime.now().getTime() + patienceMilliseconds;
  for (let attempt = 1; ; attempt++) {
    const admin = kafka.admin();
    try {
      await admin.connect();
      const differences = await ensureTopic(admin, settings);
      if (differences.length > 0)
        logger.warn(
          { topic: settings.topic, differences },
          'the topic was made with other settings; it is used as it is, and can be altered with the tools of Kafka',
        );
      return kafka;
    } catch (error) {
      if (error instanceof SetupError || signal?.aborted) throw error;
      const problem = setupProblem(error, settings);
      if (problem && (attempt >= hangUps || !isHangUp(error))) throw new SetupError(problem);
      if (!problem && runtime.now().getTime() > until) throw noBroker(error, settings);
      await backOff(runtime, attempt, { base: 50, cap: 2_000, ...(signal ? { signal } : {}) });
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

export const noBroker = (error: unknown, { brokers }: KafkaSettings): SetupError =>
  new SetupError(
    `KAFKA_BROKERS (${brokers}): no broker answers (${(error as Error).message}). Start it, correct KAFKA_BROKERS, or leave it unset to do without Kafka.`,
  );
