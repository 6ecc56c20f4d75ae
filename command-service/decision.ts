/** What a decider answers: events, none ("already so"), or a refusal with a code. */
import type { DomainEvent, StoredEvent } from '#shared/events/event.ts';
import type { Refusal } from '#shared/http/problem.ts';

export type Decision =
  | { readonly outcome: 'events'; readonly events: readonly DomainEvent[] }
  | { readonly outcome: 'already' }
  | Refusal;

/** The state of an entity as a pure function of its events. */
export interface Evolution<State> {
  readonly initial: State;
  evolve(state: State, event: StoredEvent): State;
}

export const record = (...events: readonly DomainEvent[]): Decision => ({ outcome: 'events', events });
export const alreadySo: Decision = { outcome: 'already' };
