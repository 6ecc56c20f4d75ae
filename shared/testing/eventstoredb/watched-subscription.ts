/** A subscription of the real client, and what it told so far. */
import type { AllStreamSubscription, EventStoreDBClient, ResolvedEvent } from '@eventstore/db-client';
import { asFailure, type Failure } from './double-and-client.ts';

/** What a subscription was told, in order; checkpoints are the filter's business. */
export interface Seen {
  readonly subscription: AllStreamSubscription;
  readonly told: string[];
  readonly events: ResolvedEvent[];
  failure: Failure | undefined;
}

/** As the client has them. */
type Options = Parameters<EventStoreDBClient['subscribeToAll']>[0];

/** Subscribes to $all, and leaves out what the server wrote for itself. */
export function subscribe(client: EventStoreDBClient, options: Options = {}): Seen {
  const subscription = client.subscribeToAll(options);
  const seen: Seen = { subscription, told: [], events: [], failure: undefined };
  subscription
    .on('confirmation', () => seen.told.push('confirmation'))
    .on('caughtUp', () => seen.told.push('caughtUp'))
    .on('error', (error) => {
      seen.failure = asFailure(error);
    })
    .on('data', (event) => {
      if (event.event?.type.startsWith('$')) return;
      seen.told.push('event');
      seen.events.push(event);
    });
  return seen;
}

/** Revisions of the events, in the order in which they came. */
export const revisions = ({ events: seen }: Seen): bigint[] => seen.map(({ event }) => event!.revision);
