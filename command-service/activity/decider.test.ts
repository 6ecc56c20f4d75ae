import { describe, expect, test } from 'vitest';
import { activityEvent, decideActivity, type HeldActivity } from '#command-service/activity/decider.ts';
import type { SyncPlace } from '#shared/events/metadata.ts';
import type { ActivityRecord } from '#shared/source-records/source-record.ts';

const run = '00000000-0000-4000-8000-000000000001';
const place = (epoch: number, batch = 0): SyncPlace => ({ run, epoch, part: 1, batch });
const record = (more: Partial<ActivityRecord> = {}): ActivityRecord => ({
  noun: 'activity',
  sourceId: '00T000000000001AAA',
  sourceModifiedAt: '2026-03-01T00:00:00.000Z',
  deleted: false,
  object: 'Task',
  facts: { status: 'Open', subtype: 'Call' },
  subject: 'Renewal',
  names: {},
  extra: { Type__c: 'Prep' },
  ...more,
});
let salts = 0;
const decide = (held: HeldActivity | null, given: ActivityRecord, at = place(1), watermark: string | null = null) =>
  decideActivity(held, given, {
    source: 'salesforce',
    place: at,
    watermark,
    newSalt: () => `salt-number-${String(++salts).padStart(12, '0')}`,
  });
const held = decide(null, record()).held as HeldActivity;
const later = '2026-03-02T00:00:00.000Z';

describe('a record of the source', () => {
  test('seen for the first time is recorded, with a salt of its own', () => {
    const first = decide(null, record());
    expect(first.outcome).toBe('recorded');
    expect(activityEvent(null, first.held)?.type).toBe('ActivityRecorded');
    expect(first.held?.snapshot.derived.kind).toBe('call');
  });

  test('seen again unchanged adds nothing, whatever its stamp', () => {
    expect(decide(held, record(), place(2))).toEqual({ outcome: 'unchanged', held });
    expect(decide(held, record({ sourceModifiedAt: later }), place(2)).outcome).toBe('unchanged');
    expect(activityEvent(held, decide(held, record(), place(2)).held)).toBeNull();
  });

  test('changed is a revision that keeps the salt', () => {
    const revised = decide(held, record({ subject: 'Other', sourceModifiedAt: later }));
    expect(revised.outcome).toBe('revised');
    expect(revised.held?.snapshot.personal.salt).toBe(held.snapshot.personal.salt);
    expect(activityEvent(held, revised.held)?.type).toBe('ActivityRevised');
  });

  test('a column that is absent keeps what is stored; one that is empty empties it', () => {
    const absent = decide(held, record({ facts: {}, subject: undefined, extra: {}, sourceModifiedAt: later }));
    expect(absent.outcome).toBe('unchanged');
    const empty = decide(
      held,
      record({ facts: { status: null }, subject: null, extra: { Type__c: null }, sourceModifiedAt: later }),
    );
    expect(empty.held?.snapshot).toMatchObject({
      status: null,
      subtype: 'Call',
      personal: { subject: null, extra: {} },
    });
  });

  test('another conclusion from the same content is a revision', () => {
    const mapped = decide(held, record({ kind: { value: 'Email', from: 'Type__c' } }), place(2));
    expect(mapped.outcome).toBe('revised');
    expect(mapped.held?.snapshot.contentHash).toBe(held.snapshot.contentHash);
    expect(mapped.held?.snapshot.derived).toMatchObject({ kind: 'email', kindFrom: 'Type__c' });
  });

  test('a kind that was given once carries over to a record that does not say it', () => {
    const mapped = decide(held, record({ kind: { value: 'Email', from: 'Type__c' } }), place(2)).held as HeldActivity;
    const later = decide(
      mapped,
      record({ facts: { status: 'Done' }, sourceModifiedAt: '2026-03-04T00:00:00.000Z' }),
      place(3),
    );
    expect(later.held?.snapshot).toMatchObject({ status: 'Done', derived: { kind: 'email', kindFrom: 'Type__c' } });
  });

  test('deleted, it keeps its last content; back again, it is restored', () => {
    const deleted = decide(held, record({ deleted: true, sourceModifiedAt: later }));
    expect(deleted.outcome).toBe('deleted');
    expect(activityEvent(held, deleted.held)).toMatchObject({
      type: 'ActivityDeleted',
      data: { personal: { subject: 'Renewal' } },
    });
    expect(decide(deleted.held, record({ deleted: true, sourceModifiedAt: later }), place(2)).outcome).toBe(
      'unchanged',
    );
    const restored = decide(deleted.held, record({ sourceModifiedAt: '2026-03-03T00:00:00.000Z' }));
    expect(activityEvent(deleted.held, restored.held)?.type).toBe('ActivityRestored');
  });
});

describe('which record is newer', () => {
  const changed = (stamp: string | null) => record({ subject: 'Changed', sourceModifiedAt: stamp });

  test.each([
    ['an older stamp is stale', '2026-02-01T00:00:00.000Z', place(9), null, 'stale'],
    ['a later stamp wins, even from an earlier run', later, place(1), null, 'revised'],
    ['no stamp never beats a stamp', null, place(9), null, 'stale'],
    ['at equal stamps the later run wins', held.snapshot.sourceModifiedAt, place(2), null, 'revised'],
    ['at equal stamps the same batch goes on in order', held.snapshot.sourceModifiedAt, place(1, 0), null, 'revised'],
    ['not later than the watermark of a completed run is old news', later, place(9), later, 'stale'],
    ['later than the watermark is news', '2026-03-05T00:00:00.000Z', place(9), later, 'revised'],
  ] as const)('%s', (_, stamp, at, watermark, outcome) => {
    expect(decide(held, changed(stamp), at, watermark).outcome).toBe(outcome);
  });

  test('within a run the later batch wins at equal stamps, the earlier one is stale', () => {
    const second = decide(held, changed(held.snapshot.sourceModifiedAt), place(1, 5)).held as HeldActivity;
    expect(decide(second, record(), place(1, 4)).outcome).toBe('stale');
    expect(decide(second, record(), place(1, 6)).outcome).toBe('revised');
  });

  test('without any stamps the order of arrival within runs decides', () => {
    const bare = decide(null, record({ sourceModifiedAt: null }), place(2)).held as HeldActivity;
    expect(decide(bare, changed(null), place(3)).outcome).toBe('revised');
    expect(decide(bare, changed(null), place(1)).outcome).toBe('stale');
    expect(decide(bare, changed(later), place(1)).outcome).toBe('revised');
  });
});
