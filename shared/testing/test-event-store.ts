/** Where a test finds the EventStoreDB of the run, if the run is about one; with a prefix of its own, so that nothing of others is met. */
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the run is about EventStoreDB: its URL. */
    eventStoreUrl: string;
  }
}

export interface TestEventStore {
  readonly url: string;
  readonly prefix: string;
}

/** Null where this run is about another event log. */
export function testEventStore(): TestEventStore | null {
  const url = inject('eventStoreUrl') as string | undefined;
  return url === undefined ? null : { url, prefix: `test.${randomUUID().slice(0, 8)}.` };
}
