import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { activityRecordJsonSchema } from './activity-record.ts';
import { readRecords } from './read-records.ts';
import type { SourceRecord } from './source-record.ts';

async function read(content: string | Buffer, size = 70_000): Promise<SourceRecord[]> {
  const bytes = Buffer.from(content as string);
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return Array.fromAsync(readRecords(body(), { format: 'ndjson', mapping: {} }));
}
const readOne = async (value: object): Promise<SourceRecord> => (await read(JSON.stringify(value)))[0] as SourceRecord;

test('an activity is read whole', async () => {
  expect(
    await readOne({
      id: 'call-1',
      kind: 'call',
      subject: 'Hello',
      body: 'a\nb\0',
      occurredAt: '2024-01-23T09:30:00+02:00',
      dueOn: '2024-01-24',
      status: 'Done',
      closed: true,
      priority: null,
      direction: 'outbound',
      outcome: 'answered',
      durationSeconds: 90,
      owner: { id: 'u1', name: 'Ann' },
      account: { id: 'a1' },
      who: null,
      what: { name: 'Deal' },
      modifiedAt: 1706032251000,
      extra: { score: 7, hot: true, none: null },
    }),
  ).toEqual({
    line: 1,
    noun: 'activity',
    sourceId: 'call-1',
    sourceModifiedAt: '2024-01-23T17:50:51.000Z',
    deleted: false,
    object: 'Activity',
    facts: {
      type: undefined,
      callType: 'outbound',
      status: 'Done',
      closed: true,
      priority: null,
      durationSeconds: 90,
      completedAt: '2024-01-23T07:30:00.000Z',
      startsAt: null,
      createdAt: undefined,
      dueOn: '2024-01-24',
      allDay: undefined,
      ownerId: 'u1',
      accountId: 'a1',
      whoId: null,
      whatId: undefined,
    },
    kind: { value: 'call', from: 'kind' },
    outcome: { value: 'answered', from: 'outcome' },
    subject: 'Hello',
    body: 'a\nb\0',
    names: { owner: 'Ann', what: 'Deal' },
    extra: { score: '7', hot: 'true', none: null },
  });
});

test('a meeting occurs when it starts', async () => {
  expect(await readOne({ id: '1', kind: 'meeting', occurredAt: '2024-01-23T09:30:00Z' })).toMatchObject({
    facts: { startsAt: '2024-01-23T09:30:00.000Z', completedAt: null },
  });
  expect(await readOne({ id: '1', object: 'Event', allDay: true, dueOn: '2024-01-23' })).toMatchObject({
    facts: { startsAt: null, allDay: true, dueOn: '2024-01-23' },
  });
});

test('related records are known by their type', async () => {
  expect(await readOne({ type: 'contact', id: 'c 1', name: 'Bo', email: '', accountId: 'a1' })).toEqual({
    line: 1,
    noun: 'related-record',
    sourceId: 'c 1',
    sourceModifiedAt: null,
    deleted: false,
    type: 'contact',
    links: { accountId: 'a1', contactId: undefined, managerId: undefined, teamId: undefined },
    name: 'Bo',
    email: null,
  });
});

test.each<[string, string, string]>([
  ['no JSON', '{"id":"1","subject":secret}', 'the line is not JSON'],
  ['no object', '["secret"]1', 'the line is not JSON'],
  ['a number', '7', 'no JSON object'],
  ['no id', '{"subject":"secret"}', 'id: '],
  ['an id with a control character', '{"id":"secret\\u0000"}', 'id: not of the form'],
  ['an unknown member', '{"id":"1","occuredAt":"secret"}', 'unknown member occuredAt'],
  ['a wrong type', '{"id":"1","durationSeconds":"secret"}', 'durationSeconds: '],
  ['a date that does not exist', '{"id":"1","dueOn":"2024-02-30"}', 'dueOn: expected a date that exists'],
  [
    'a time without a zone',
    '{"id":"1","occurredAt":"2024-01-23T09:30:00"}',
    'occurredAt: expected a time with its zone',
  ],
  ['half a surrogate pair', '{"id":"1","subject":"secret \\ud800"}', 'half of a surrogate pair'],
])('%s is rejected, without its content', async (_what, line, reason) => {
  const records = await read(`{"id":"0"}\n${line}\n{"id":"2"}\n`);
  expect(records.map(({ noun, line }) => [noun, line])).toEqual([
    ['activity', 1],
    ['rejected', 2],
    ['activity', 3],
  ]);
  expect(records[1]).toMatchObject({ reason: expect.stringContaining(reason) });
  expect(JSON.stringify(records[1])).not.toContain('secret');
});

test('a byte order mark, CRLF, blank lines and a last line without an end are read', async () => {
  expect((await read('\uFEFF{"id":"1"}\r\n\r\n{"id":"2"}')).map(({ line, sourceId }) => [line, sourceId])).toEqual([
    [1, '1'],
    [3, '2'],
  ]);
});

test('text that is not UTF-8 rejects its line only', async () => {
  const records = await read(Buffer.from('{"id":"1","subject":"\xe9"}\n{"id":"2"}\n', 'latin1'));
  expect(records).toMatchObject([
    { noun: 'rejected', reason: expect.stringContaining('not UTF-8') },
    { sourceId: '2' },
  ]);
});

test('a line of more than 512 KiB is rejected, wherever the chunks end', async () => {
  const file = `{"id":"1","body":"${'x'.repeat(600_000)}"}\n{"id":"2"}\n`;
  for (const size of [1000, 70_000, 1_000_000])
    expect(await read(file, size)).toMatchObject([
      { noun: 'rejected', line: 1, reason: expect.stringContaining('512 KiB') },
      { sourceId: '2', line: 2 },
    ]);
});

test('a file that is empty, one array or UTF-16 is refused as a whole', async () => {
  await expect(read('\n\n')).rejects.toThrow('The file is empty');
  await expect(read('[\n{"id":"1"}\n]')).rejects.toThrow('one JSON object on each line');
  await expect(read(Buffer.from('\uFEFF{"id":"1"}', 'utf16le'))).rejects.toThrow('UTF-16');
});

test('whatever JSON stands in a line, it is one record', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.json(), { minLength: 1, maxLength: 5 }), async (lines) => {
      fc.pre(!lines[0]?.startsWith('['));
      expect(await read(lines.map((line) => line.replaceAll('\n', ' ')).join('\n'))).toHaveLength(lines.length);
    }),
  );
});

test('docs/activity-record.schema.json is the schema of today', async () => {
  const file = new URL('../../docs/activity-record.schema.json', import.meta.url);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(activityRecordJsonSchema());
});
