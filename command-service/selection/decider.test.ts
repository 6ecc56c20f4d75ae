import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Decision } from '#command-service/decision.ts';
import {
  changeSelection,
  deselectActivities,
  discardSelection,
  exportSelection,
  freezeSelection,
  givenByIds,
  openSelection,
  reopenSelection,
  type SelectionState,
  selectActivities,
  selectionEvolution,
  shareSelection,
} from '#command-service/selection/decider.ts';
import type { DomainEvent, StoredEvent } from '#shared/events/event.ts';
import type { SelectionItem } from '#shared/events/selection.ts';
import { selectionDigest } from '#shared/events/selection-digest.ts';

const position = '00000001-0000000000000001';
const stored = (event: DomainEvent): StoredEvent => ({ ...event, position }) as StoredEvent;
const apply = (state: SelectionState, decision: Decision): SelectionState =>
  decision.outcome === 'events'
    ? decision.events.reduce((before, event) => selectionEvolution.evolve(before, stored(event)), state)
    : state;
const item = (number: number, revision = 0): SelectionItem => ({
  activityId: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
  revision,
  contentHash: `h1:${'0'.repeat(64)}`,
});
const opening = { name: 'Renewals', purpose: null, copiedFrom: null, ...givenByIds, freeze: false, position };
const open = apply(selectionEvolution.initial, openSelection(selectionEvolution.initial, { ...opening, items: [] }));
const withItems = apply(open, selectActivities(open, [item(1), item(2)], givenByIds));
const frozen = apply(withItems, freezeSelection(withItems));
const codeOf = (decision: Decision) => (decision.outcome === 'refused' ? decision.code : decision.outcome);

describe('a selection', () => {
  test('opened, filled and frozen at once has the digest of what it holds', () => {
    const state = apply(
      selectionEvolution.initial,
      openSelection(selectionEvolution.initial, { ...opening, items: [item(2), item(1)], freeze: true }),
    );
    expect(state).toMatchObject({ status: 'frozen', digest: selectionDigest([item(1), item(2)]) });
  });

  test('is filled in parts of 1,000, and is being filled until the last', () => {
    const decision = selectActivities(
      open,
      Array.from({ length: 2_500 }, (_, index) => item(index)),
      givenByIds,
    );
    if (decision.outcome !== 'events') throw new Error('no events');
    expect(decision.events.map((event) => (event.data as { part: number; of: number }).part)).toEqual([1, 2, 3]);
    const half = selectionEvolution.evolve(open, stored(decision.events[0] as DomainEvent));
    expect(half.filling).toBe(true);
    expect(codeOf(freezeSelection(half))).toBe('selection-filling');
    expect(codeOf(selectActivities(half, [item(9_999)], givenByIds))).toBe('selection-filling');
    expect(codeOf(discardSelection(half, null))).toBe('events');
    expect(apply(open, decision)).toMatchObject({ filling: false });
  });

  test('that is frozen is final', () => {
    for (const decision of [
      changeSelection(frozen, { name: 'Other' }),
      selectActivities(frozen, [item(3)], givenByIds),
      deselectActivities(frozen, [item(1).activityId], givenByIds),
      discardSelection(frozen, null),
      reopenSelection(frozen, null),
    ])
      expect(codeOf(decision)).toBe('selection-frozen');
  });

  test('is shared only when it is frozen, with its digest', () => {
    const share = { recipient: 'ann', model: null, note: null };
    expect(codeOf(shareSelection(withItems, share))).toBe('selection-not-frozen');
    expect(shareSelection(frozen, share)).toMatchObject({ events: [{ data: { digest: frozen.digest } }] });
  });

  test('that is empty is neither frozen nor exported', () => {
    expect(codeOf(freezeSelection(open))).toBe('selection-empty');
    expect(codeOf(exportSelection(open, { format: 'csv', digest: '', count: 0 }))).toBe('selection-empty');
  });

  test('that does not exist is not found', () => {
    const missing = selectionEvolution.initial;
    for (const decision of [
      changeSelection(missing, { name: 'x' }),
      selectActivities(missing, [item(1)], givenByIds),
      freezeSelection(missing),
      discardSelection(missing, null),
      reopenSelection(missing, null),
      shareSelection(missing, { recipient: 'a', model: null, note: null }),
    ])
      expect(codeOf(decision)).toBe('not-found');
  });

  test('holds an activity in the version that was selected last', () => {
    const state = apply(withItems, selectActivities(withItems, [item(1, 4)], givenByIds));
    expect(state.items.get(item(1).activityId)?.revision).toBe(4);
    expect(state.items.size).toBe(2);
  });
});

test('whatever came before, a command that is decided again records nothing', () => {
  const commands = fc.oneof(
    fc.constantFrom('a', 'b').map((name) => (state: SelectionState) => changeSelection(state, { name })),
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }).map(
      (numbers) => (state: SelectionState) =>
        selectActivities(
          state,
          [...new Set(numbers)].map((number) => item(number)),
          givenByIds,
        ),
    ),
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }).map(
      (numbers) => (state: SelectionState) =>
        deselectActivities(
          state,
          numbers.map((number) => item(number).activityId),
          givenByIds,
        ),
    ),
    fc.constant((state: SelectionState) => freezeSelection(state)),
    fc.constant((state: SelectionState) => discardSelection(state, null)),
    fc.constant((state: SelectionState) => reopenSelection(state, null)),
  );
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 20 }), commands, (before, command) => {
      const state = before.reduce((current, decide) => apply(current, decide(current)), open);
      const after = apply(state, command(state));
      expect(command(after).outcome).not.toBe('events');
    }),
    { numRuns: 500 },
  );
});
