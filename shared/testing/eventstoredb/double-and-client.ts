/** A double and the real client, for the tests of the double. One client at a time: it keeps appends in a module variable. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type AppendExpectedRevision, type EventData, EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect } from 'vitest';
import { type DoubleOptions, type EventStoreDouble, startEventStoreDouble } from './start-double.ts';

/** Both, until the block ends. */
export interface DoubleAndClient extends AsyncDisposable {
  readonly double: EventStoreDouble;
  readonly client: EventStoreDBClient;
}

/** @param settings more of the connection string, such as "keepAliveInterval=200" */
export async function doubleAndClient(options: DoubleOptions = {}, settings = ''): Promise<DoubleAndClient> {
  const double = await startEventStoreDouble(options);
  const client = EventStoreDBClient.connectionString(`${double.url}${settings && `&${settings}`}`);
  return {
    double,
    client,
    async [Symbol.asyncDispose]() {
      double.thaw();
      // Calls that a test left unanswered never let the client go by themselves.
      await Promise.race([client.dispose(), wait(500, undefined, { ref: false })]);
      await double[Symbol.asyncDispose]();
    },
  };
}

/** An event that says nothing. */
export const anEvent = (id: string = randomUUID(), size = 10): EventData =>
  jsonEvent({ id, type: 'Noted', data: { text: 'x'.repeat(size) }, metadata: { tenant: 't1' } });

/** So many of them. */
export const events = (count: number, size = 10): EventData[] =>
  Array.from({ length: count }, () => anEvent(undefined, size));

/** What the caller learns of a failed call. */
export interface Failure {
  readonly type: string | undefined;
  readonly code: number | undefined;
  readonly message: string;
}

/** Waits for the failure. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    return asFailure(error);
  }
  throw new Error('The call did not fail.');
}

/** Reads what the client put on its error, whichever class it is. */
export function asFailure(error: unknown): Failure {
  const { type, code, message } = error as Partial<Failure>;
  return { type, code, message: message ?? String(error) };
}

/** One event appended, from an object. */
export interface OneAppend {
  readonly stream: string;
  readonly id: string;
  readonly expectedRevision: AppendExpectedRevision;
}

/** Appends it. */
export const append = (client: EventStoreDBClient, { stream, id, expectedRevision }: OneAppend) =>
  client.appendToStream(stream, anEvent(id), { expectedRevision });

/** Ids of a stream's events, read by the client to the end. */
export async function idsOf(client: EventStoreDBClient, stream: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { event } of client.readStream(stream)) ids.push(event!.id);
  return ids;
}

/** Everything that clients wrote, by the double's own account. */
export const storedIds = (double: EventStoreDouble): string[] =>
  double.events().flatMap(({ stream, id }) => (stream.startsWith('$') ? [] : [id]));

/** Calls again and again until a call succeeds: what a service does while its server is away. */
export async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt === 100) throw error;
      await wait(20);
    }
  }
}

/** Settled or not, after the calls of others went through. */
export async function isOpen(call: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  const settled = call.then(
    () => undefined,
    () => undefined,
  );
  return (await Promise.race([settled, wait(0, open)])) === open;
}

/** Waits for a condition. The patience is for a busy machine. */
export const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 10_000, interval: 5 });
