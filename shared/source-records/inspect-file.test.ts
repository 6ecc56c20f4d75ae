import { expect, test } from 'vitest';
import { inspectFile, peekObject } from './inspect-file.ts';
import type { Mapping } from './mapping.ts';

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
const inspect = (text: string, options: { object?: string; mapping?: Mapping; format?: 'csv' | 'ndjson' } = {}) =>
  inspectFile(bytes(text), { format: 'csv', mapping: {}, ...options });

const tasks = `Id,Subject,Status,TaskSubtype,Type__c,Assigned,LastModifiedById,Broken
00T000000000001,One,Completed,Task,Call,Ann,x,
00T000000000002,Two,Completed,Task,Meeting,Ann,x,
00T000000000003,Three,Not Started,Call,Prep,Ann,x,
nonsense,Four,,,,,,
`;

test('it says what an import would do, and hints at a column of kinds and a missing IsClosed', async () => {
  expect(await inspect(tasks)).toEqual({
    detected: { outcome: 'object', object: 'Task' },
    mapped: [
      { field: 'id', column: 'Id' },
      { field: 'status', column: 'Status' },
      { field: 'subject', column: 'Subject' },
      { field: 'subtype', column: 'TaskSubtype' },
      { field: 'names.owner', column: 'Assigned' },
    ],
    extra: ['Type__c', 'Broken'],
    unmapped: ['LastModifiedById'],
    missing: expect.arrayContaining(['closed', 'completedAt', 'sourceModifiedAt', 'durationSeconds']),
    counts: { activities: 3, relatedRecords: 0, rejected: 1, deleted: 0 },
    rejects: [{ line: 5, sourceId: null, reason: 'column Id: the id has 8 characters instead of 15 or 18' }],
    kinds: { task: 2, call: 1 },
    statuses: [
      { status: 'Completed', count: 2 },
      { status: 'Not Started', count: 1 },
    ],
    hints: [
      'The column Type__c has 3 values, of which some are kinds (call, meeting): try --map kind=Type__c',
      'Of 3 activities the file does not say whether they are closed (IsClosed): it is derived from the status',
    ],
  });
});

test('with the mapping the kinds are those of the column, and the hint is gone', async () => {
  const { kinds, hints } = await inspect(tasks, { mapping: { kind: 'Type__c' } });
  expect(kinds).toEqual({ call: 2, meeting: 1 });
  expect(hints.join()).not.toContain('--map');
});

test('only the first 20 rejects are kept', async () => {
  const { counts, rejects } = await inspect(`Id,TaskSubtype\n${'bad,x\n'.repeat(100)}`);
  expect(counts.rejected).toBe(100);
  expect(rejects).toHaveLength(20);
});

test('a skipped object and an unclear one are said, and nothing else is read', async () => {
  expect(await inspect('Id,LeadOrContactId\n00v000000000001,x\n')).toMatchObject({
    detected: { outcome: 'skipped', object: 'CampaignMember' },
    counts: { rejected: 0 },
  });
  expect(await inspect('Id,Name\nx,y\n')).toMatchObject({ detected: { outcome: 'ambiguous' } });
});

test('NDJSON is counted the same way', async () => {
  expect(await inspect('{"id":"1","kind":"note"}\n{"type":"user","id":"u"}\n{}\n', { format: 'ndjson' })).toMatchObject(
    {
      counts: { activities: 1, relatedRecords: 1, rejected: 1 },
      kinds: { note: 1 },
    },
  );
});

test('peeking reads the first block only', async () => {
  let blocks = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('Id,Name\n');
    while (true) {
      blocks++;
      yield Buffer.from('003Ec00000CyOT7,Bo\n'.repeat(5000));
    }
  }
  expect(await peekObject(endless(), { mapping: {} })).toEqual({ outcome: 'object', object: 'Contact' });
  expect(blocks).toBeLessThanOrEqual(2);
});
