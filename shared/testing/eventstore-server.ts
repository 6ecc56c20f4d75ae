/** The EventStoreDB of a test run: the server that EVENTSTORE_URL names, in whatever state it is, or else a double. */
import type { TestProject } from 'vitest/node';
import { testEventStoreUrl } from './config.ts';
import { type EventStoreDouble, startEventStoreDouble } from './eventstoredb/start-double.ts';

let double: EventStoreDouble | undefined;

/** Vitest runs this once before all test files of the project. */
export async function setup(project: TestProject): Promise<void> {
  const given = testEventStoreUrl();
  if (given === undefined) double = await startEventStoreDouble();
  project.provide('eventStoreUrl', given ?? (double as EventStoreDouble).url);
}

export async function teardown(): Promise<void> {
  await double?.[Symbol.asyncDispose]();
}
