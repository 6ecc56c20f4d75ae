/** Where a test finds the broker of the run; with a topic of its own. */
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the run is about Kafka: host:port. */
    kafkaBrokers: string;
  }
}

export interface TestKafka {
  readonly brokers: string;
  readonly topic: string;
}

/** Null where this run is about the direct transport. */
export function testKafka(): TestKafka | null {
  const brokers = inject('kafkaBrokers') as string | undefined;
  return brokers === undefined ? null : { brokers, topic: `cool-mint.test.${randomUUID().slice(0, 8)}` };
}
