/** The broker of a test run: those that KAFKA_BROKERS names, or else one of its own. */
import type { TestProject } from 'vitest/node';
import { testKafkaBrokers } from './config.ts';
import { type Broker, startBroker } from './kafka/broker.ts';

let broker: Broker | undefined;

/** Vitest runs this once before all test files of the project. */
export async function setup(project: TestProject): Promise<void> {
  const given = testKafkaBrokers();
  if (given === undefined) broker = await startBroker();
  project.provide('kafkaBrokers', given ?? (broker as Broker).address);
}

export async function teardown(): Promise<void> {
  await broker?.[Symbol.asyncDispose]();
}
