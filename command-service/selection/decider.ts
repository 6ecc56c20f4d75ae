/**
 * A selection: open → frozen or discarded; discarded → open; frozen is final. While it is being filled in parts,
 * editing and freezing wait; throwing it away does not.
 */

import { alreadySo, type Decision, type Evolution, record } from '#command-service/decision.ts';
import type { ActivityFilter } from '#shared/activity-filter/activity-filter.ts';
import type { Position } from '#shared/event-log/position.ts';
import type { DomainEvent, StoredEvent } from '#shared/events/event.ts';
import { type ExportFormat, itemsPerEvent, type SelectionItem } from '#shared/events/selection.ts';
import { selectionDigest } from '#shared/events/selection-digest.ts';
import { type Refusal, refuse } from '#shared/http/problem.ts';

export interface SelectionState {
  readonly status: 'missing' | 'open' | 'frozen' | 'discarded';
  readonly name: string;
  readonly purpose: string | null;
  readonly copiedFrom: string | null;
  readonly items: ReadonlyMap<string, SelectionItem>;
  readonly filling: boolean;
  readonly digest: string | null;
  /** Of its last event. */
  readonly position: Position | null;
}

export const selectionEvolution: Evolution<SelectionState> = {
  initial: {
    status: 'missing',
    name: '',
    purpose: null,
    copiedFrom: null,
    items: new Map(),
    filling: false,
    digest: null,
    position: null,
  },
  evolve(before: SelectionState, event: StoredEvent): SelectionState {
    const state = { ...before, position: event.position };
    switch (event.type) {
      case 'SelectionOpened':
        return {
          ...state,
          status: 'open',
          name: event.data.name,
          purpose: event.data.purpose,
          copiedFrom: event.data.copiedFrom,
        };
      case 'ActivitiesSelected': {
        const items = new Map(state.items);
        for (const item of event.data.items) items.set(item.activityId, item);
        return { ...state, items, filling: event.data.part < event.data.of };
      }
      case 'ActivitiesDeselected': {
        const items = new Map(state.items);
        for (const id of event.data.activityIds) items.delete(id);
        return { ...state, items, filling: event.data.part < event.data.of };
      }
      case 'SelectionRenamed':
        return { ...state, name: event.data.name };
      case 'SelectionPurposeChanged':
        return { ...state, purpose: event.data.purpose };
      case 'SelectionFrozen':
        return { ...state, status: 'frozen', digest: event.data.digest };
      case 'SelectionDiscarded':
        return { ...state, status: 'discarded', filling: false };
      case 'SelectionReopened':
        return { ...state, status: 'open' };
      default:
        return state;
    }
  },
};

/** Where items come from, as the events tell it. */
export interface FilledFrom {
  readonly filter: ActivityFilter | null;
  readonly filterPosition: Position | null;
}

export const givenByIds: FilledFrom = { filter: null, filterPosition: null };

const missing = refuse('not-found', 'There is no such selection.');
const frozen = refuse('selection-frozen', 'A frozen selection is final. Copy it to change it: POST …/copy.');
const discarded = refuse('selection-discarded', 'Reopen it first: POST …/reopen.');
const filling = refuse('selection-filling', 'Wait until it is filled, or discard it.', { retryAfter: 1 });
const empty = refuse('selection-empty', 'Add activities first.');

/** Null where it may be edited. */
function uneditable(state: SelectionState): Refusal | null {
  if (state.status === 'missing') return missing;
  if (state.status === 'frozen') return frozen;
  if (state.status === 'discarded') return discarded;
  return state.filling ? filling : null;
}

function* runsOf<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}

function selectedEvents(items: readonly SelectionItem[], from: FilledFrom): DomainEvent[] {
  const runs = [...runsOf(items, itemsPerEvent)];
  return runs.map((run, index) => ({
    type: 'ActivitiesSelected',
    data: { items: run, part: index + 1, of: runs.length, filter: from.filter, filterPosition: from.filterPosition },
  }));
}

export interface Opening extends FilledFrom {
  readonly name: string;
  readonly purpose: string | null;
  readonly copiedFrom: string | null;
  readonly items: readonly SelectionItem[];
  readonly freeze: boolean;
  /** Of the log as the opening was decided; stands in SelectionFrozen where it is frozen at once. */
  readonly position: Position;
}

export function openSelection(state: SelectionState, opening: Opening): Decision {
  if (state.status !== 'missing') return alreadySo;
  if (opening.freeze && opening.items.length === 0) return empty;
  const { name, purpose, copiedFrom, filter, filterPosition } = opening;
  return record(
    { type: 'SelectionOpened', data: { name, purpose, copiedFrom, filter, filterPosition } },
    ...selectedEvents(opening.items, opening),
    ...(opening.freeze ? [frozenEvent(opening.items, opening.position)] : []),
  );
}

export function changeSelection(
  state: SelectionState,
  change: { readonly name?: string | undefined; readonly purpose?: string | null | undefined },
): Decision {
  const refusal = uneditable(state);
  if (refusal) return refusal;
  const events: DomainEvent[] = [];
  if (change.name !== undefined && change.name !== state.name)
    events.push({ type: 'SelectionRenamed', data: { name: change.name } });
  if (change.purpose !== undefined && change.purpose !== state.purpose)
    events.push({ type: 'SelectionPurposeChanged', data: { purpose: change.purpose } });
  return events.length > 0 ? record(...events) : alreadySo;
}

/** Adds versions; one that is held in another version is held in the given one from now on. */
export function selectActivities(state: SelectionState, items: readonly SelectionItem[], from: FilledFrom): Decision {
  const refusal = uneditable(state);
  if (refusal) return refusal;
  const fresh = items.filter((item) => state.items.get(item.activityId)?.revision !== item.revision);
  return fresh.length > 0 ? record(...selectedEvents(fresh, from)) : alreadySo;
}

export function deselectActivities(state: SelectionState, activityIds: readonly string[], from: FilledFrom): Decision {
  const refusal = uneditable(state);
  if (refusal) return refusal;
  const runs = [
    ...runsOf(
      [...new Set(activityIds)].filter((id) => state.items.has(id)),
      itemsPerEvent,
    ),
  ];
  if (runs.length === 0) return alreadySo;
  return record(
    ...runs.map(
      (run, index): DomainEvent => ({
        type: 'ActivitiesDeselected',
        data: {
          activityIds: run,
          part: index + 1,
          of: runs.length,
          filter: from.filter,
          filterPosition: from.filterPosition,
        },
      }),
    ),
  );
}

function frozenEvent(items: Iterable<SelectionItem>, position: Position): DomainEvent {
  const list = [...items];
  return { type: 'SelectionFrozen', data: { count: list.length, digest: selectionDigest(list), position } };
}

export function freezeSelection(state: SelectionState): Decision {
  if (state.status === 'frozen') return alreadySo;
  const refusal = uneditable(state);
  if (refusal) return refusal;
  return state.items.size === 0 ? empty : record(frozenEvent(state.items.values(), state.position as Position));
}

export function discardSelection(state: SelectionState, reason: string | null): Decision {
  if (state.status === 'missing') return missing;
  if (state.status === 'frozen') return frozen;
  return state.status === 'discarded' ? alreadySo : record({ type: 'SelectionDiscarded', data: { reason } });
}

export function reopenSelection(state: SelectionState, reason: string | null): Decision {
  if (state.status === 'missing') return missing;
  if (state.status === 'frozen') return frozen;
  return state.status === 'open' ? alreadySo : record({ type: 'SelectionReopened', data: { reason } });
}

/** Whether it may be handed out as a file; the export itself is recorded when its digest is known. */
export function exportable(state: SelectionState): Refusal | null {
  if (state.status === 'missing') return missing;
  if (state.status === 'discarded') return discarded;
  if (state.filling) return filling;
  return state.items.size === 0 ? empty : null;
}

export function exportSelection(
  state: SelectionState,
  done: { readonly format: ExportFormat; readonly digest: string; readonly count: number },
): Decision {
  return exportable(state) ?? record({ type: 'SelectionExported', data: done });
}

export function shareSelection(
  state: SelectionState,
  share: { readonly recipient: string; readonly model: string | null; readonly note: string | null },
): Decision {
  if (state.status === 'missing') return missing;
  if (state.status !== 'frozen')
    return refuse('selection-not-frozen', 'Freeze it first: only what can no longer change is shared.');
  const { recipient, model, note } = share;
  return record({
    type: 'SelectionShared',
    data: { model, digest: state.digest as string, personal: { recipient, note } },
  });
}
