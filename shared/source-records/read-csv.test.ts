import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Mapping } from './mapping.ts';
import { readRecords } from './read-records.ts';
import { salesforceId } from './salesforce-id.ts';
import type { SourceRecord } from './source-record.ts';

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(
  content: string | Buffer,
  object = 'Task',
  mapping: Mapping = {},
  size = 70_000,
): Promise<SourceRecord[]> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Array.fromAsync(readRecords(inChunks(bytes, size), { format: 'csv', object, mapping }));
}

const activities = (records: readonly SourceRecord[]) => records.filter((record) => record.noun === 'activity');
const rejects = (records: readonly SourceRecord[]) => records.filter((record) => record.noun === 'rejected');
const taskId = (n: number): string => salesforceId(`00T${String(n).padStart(12, '0')}`) as string;
const A = taskId(1);
const B = taskId(2);
const C = taskId(3);

test('a byte order mark, CRLF and line feeds within quotes are read, and the line is the one where the record starts', async () => {
  const records = await read(`\uFEFFId,Subject,Description\r\n${A},One,"a\r\nb\r\nc"\r\n${B},Two,\r\n`);
  expect(records.map(({ line }) => line)).toEqual([2, 5]);
  expect(activities(records).map(({ sourceId, subject, body }) => [sourceId, subject, body])).toEqual([
    [A, 'One', 'a\r\nb\r\nc'],
    [B, 'Two', null],
  ]);
});

test('the size of the chunks changes nothing', async () => {
  const file = `\uFEFFId,Subject,Description\r\n${A},"Zoë, ""the"" 🚀","a\r\nb"\r\n${B},Two\r\n${C},ü,"x"`;
  const whole = await read(file);
  for (const size of [1, 2, 3, 7, 64]) expect(await read(file, 'Task', {}, size)).toEqual(whole);
  expect(whole.map(({ noun }) => noun)).toEqual(['activity', 'rejected', 'activity']);
});

test('an absent column is undefined, an empty cell is null, and "N/A" and "null" are text', async () => {
  const [first, second] = activities(await read(`Id,Status,Priority\n${A},,N/A\n${B},null,NULL\n`));
  expect(first?.facts).toMatchObject({ status: null, priority: 'N/A' });
  expect(second?.facts).toMatchObject({ status: 'null', priority: 'NULL' });
  expect(first?.facts.callType).toBeUndefined();
  expect(first?.subject).toBeUndefined();
});

test('every field of a Task is read from its column', async () => {
  const header =
    'Id,Type,TaskSubtype,CallType,CallDisposition,Status,IsClosed,Priority,CallDurationInSeconds,CompletedDateTime,CreatedDate,ActivityDate,OwnerId,AccountId,WhoId,WhatId,Subject,Description,IsDeleted,SystemModstamp,LastModifiedDate,Location__c,CreatedById';
  const row = `${A},Call,Task,Outbound,Reached,Completed,1,High,95,2024-03-01T10:00:00.000+0000,1709280000000,2024-03-02,005Ec000004o8yH,001Ec00000GGw3h,003Ec00000CyOT7,006Ec00000AieKF,Hello,World,true,2024-03-03T10:00:00.000Z,2024-03-02T10:00:00.000Z,Berlin,005Ec000004o8yHIAQ`;
  const [record] = await read(`${header}\n${row}\n`);
  expect(record).toEqual({
    line: 2,
    noun: 'activity',
    sourceId: A,
    sourceModifiedAt: '2024-03-03T10:00:00.000Z',
    deleted: true,
    object: 'Task',
    facts: {
      type: 'Call',
      subtype: 'Task',
      callType: 'Outbound',
      callDisposition: 'Reached',
      status: 'Completed',
      closed: true,
      priority: 'High',
      durationSeconds: 95,
      completedAt: '2024-03-01T10:00:00.000Z',
      startsAt: undefined,
      createdAt: '2024-03-01T08:00:00.000Z',
      dueOn: '2024-03-02',
      allDay: undefined,
      ownerId: '005Ec000004o8yHIAQ',
      accountId: '001Ec00000GGw3hIAD',
      whoId: '003Ec00000CyOT7IAN',
      whatId: '006Ec00000AieKFIAZ',
    },
    kind: undefined,
    outcome: undefined,
    subject: 'Hello',
    body: 'World',
    names: {},
    extra: { Location__c: 'Berlin' },
  });
});

test('the labels of a standard report are recognised, and names are kept apart', async () => {
  const [record] = activities(
    await read(
      `"Activity ID","Assigned","due date","Company / Account","Contact","Full Comments","Call Duration (seconds)","Last Modified Date"\n${A.slice(0, 15)},Ann,2024-01-23,Acme,Bo,text,60,2024-01-24\n`,
    ),
  );
  expect(record).toMatchObject({ sourceId: A, body: 'text', sourceModifiedAt: '2024-01-24T00:00:00.000Z' });
  expect(record?.facts).toMatchObject({ dueOn: '2024-01-23', durationSeconds: 60 });
  expect(record?.names).toEqual({ owner: 'Ann', account: 'Acme', who: 'Bo' });
  expect(record?.extra).toEqual({});
});

test('semicolons and tabs separate as well', async () => {
  expect(activities(await read(`Id;Subject\n${A};a,b\n`))[0]?.subject).toBe('a,b');
  expect(activities(await read(`Id\tSubject\n${A}\t"a\tb"\n`))[0]?.subject).toBe('a\tb');
});

test('a NUL byte stays in the text', async () => {
  expect(activities(await read(`Id,Subject\n${A},a\0b\n${B},"a\0""b"\n`)).map(({ subject }) => subject)).toEqual([
    'a\0b',
    'a\0"b',
  ]);
});

test.each([
  ['an impossible date', 'ActivityDate', '2024-02-30', 'column ActivityDate: expected a date that exists'],
  ['a local date', 'ActivityDate', '1/23/2024', 'column ActivityDate: expected a date'],
  ['an impossible time', 'CreatedDate', '2024-01-23T25:00:00.000Z', 'column CreatedDate: expected a time'],
  ['a duration in words', 'CallDurationInSeconds', 'ten', 'column CallDurationInSeconds: expected a number of seconds'],
  ['an unclear boolean', 'IsClosed', 'perhaps', 'column IsClosed: expected true'],
  ['a reference with a changed case', 'WhoId', '003ec00000CyOT7IAN', 'column WhoId: the id does not fit'],
  ['an over-long text', 'Subject', 'x'.repeat(131_073), 'column Subject: the text has 131073 characters'],
])('%s rejects that record only', async (_what, column, value, reason) => {
  const records = await read(`Id,${column}\n${A},${value}\n${B},\n`);
  expect(records[0]).toMatchObject({ noun: 'rejected', line: 2, sourceId: A });
  expect(rejects(records)[0]?.reason).toContain(reason);
  expect(activities(records).map(({ sourceId }) => sourceId)).toEqual([B]);
});

test.each([
  ['a missing id', '', 'the id is missing'],
  ['a wrong length', '00T123', 'the id has 6 characters'],
  ['wrong characters', '00T00000000000!', 'the id has characters other than'],
  ['a wrong suffix', `${A.slice(0, 15)}ZZZ`, 'does not fit its last three characters'],
])('%s rejects the record', async (_what, id, reason) => {
  const records = await read(`Id,Subject\n${id},secret\n${B},x\n`);
  expect(rejects(records)[0]?.reason).toContain(reason);
  expect(rejects(records)[0]?.sourceId).toBeNull();
  expect(JSON.stringify(rejects(records))).not.toContain('secret');
  expect(activities(records)).toHaveLength(1);
});

test('the id of another object is rejected and says which object it is of', async () => {
  expect(rejects(await read('Id,Subject\n003Ec00000CyOT7IAN,x\n'))[0]?.reason).toBe(
    'the id 003Ec00000CyOT7IAN is of the object Contact, not Task',
  );
});

test('too few and too many columns reject the row, and blank lines are no rows', async () => {
  const records = await read(`Id,Subject\n${A}\n\n\r\n${B},x,y\n${C},"a\nb",z\n${C},ok\n`);
  expect(records.map(({ line, noun }) => [line, noun])).toEqual([
    [2, 'rejected'],
    [5, 'rejected'],
    [6, 'rejected'],
    [8, 'activity'],
  ]);
  expect(rejects(records)[0]?.reason).toBe('the row has 1 columns, the header has 2');
});

test('text that is not UTF-8 rejects that record and names line and column', async () => {
  const bytes = Buffer.concat([
    Buffer.from(`Id,Subject,Description\n${A},"x","one\ntwo `),
    Buffer.from([0xe9]),
    Buffer.from(`"\n${B},é,y\n`),
  ]);
  const records = await read(bytes);
  expect(rejects(records)).toEqual([
    {
      noun: 'rejected',
      line: 2,
      sourceId: null,
      reason: expect.stringMatching(/^line 3, column Description: the text is not UTF-8\. Save the file as UTF-8/),
    },
  ]);
  expect(activities(records).map(({ subject }) => subject)).toEqual(['é']);
});

test('a stray quote loses its own line only', async () => {
  const records = await read(
    `Id,Subject\n${A},"open\n${B},fine\n${C},5" screen\n${taskId(4)},"multi\nline"\n${taskId(5)},x\n`,
  );
  expect(activities(records).map(({ line }) => line)).toEqual([3, 5, 7]);
  expect(rejects(records).map(({ line, reason }) => [line, reason.slice(0, 14)])).toEqual([
    [2, 'line 2 is lost'],
    [4, 'line 4 is lost'],
  ]);
});

test('a quote that is never closed does not swallow the file', async () => {
  const rest = Array.from({ length: 60_000 }, (_, i) => `${taskId(i + 10)},fine\n`).join('');
  const records = await read(`Id,Subject\n${A},"open\n${rest}`);
  expect(activities(records)).toHaveLength(60_000);
  expect(rejects(records)).toEqual([
    {
      noun: 'rejected',
      line: 2,
      sourceId: null,
      reason: expect.stringContaining('line 2 is lost: a quotation mark is not closed'),
    },
  ]);
});

test('a file of broken records only is read in a time that grows with its size, not with its square', async () => {
  const records = await read(
    `Id,Subject\n${`${A},"open\n${B},"open\n${C},fine\n`.repeat(5_000)}`,
    'Task',
    {},
    10_000_000,
  );
  expect(activities(records)).toHaveLength(5_000);
  expect(rejects(records)).toHaveLength(5_000);
}, 5000);

test('a record of more than 512 KiB is lost as one, and the lines it covers are named', async () => {
  const body = 'some text\n'.repeat(60_000);
  const records = await read(`Id,Subject,Description\n${A},x,"${body}"\n${B},y,z\n`);
  expect(rejects(records)).toHaveLength(1);
  expect(rejects(records)[0]).toMatchObject({
    line: 2,
    reason: expect.stringMatching(/^lines 2 to 60002 are lost: .*512 KiB/),
  });
  expect(activities(records).map(({ line }) => line)).toEqual([60_003]);
});

test('a line without an end is skipped in bounded memory', async () => {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`Id,Subject\n${A},`);
    for (let i = 0; i < 200; i++) yield Buffer.alloc(100_000, 'x');
    yield Buffer.from(`\n${B},y\n`);
  }
  const records = await Array.fromAsync(readRecords(body(), { format: 'csv', object: 'Task', mapping: {} }));
  expect(records.map(({ line, noun }) => [line, noun])).toEqual([
    [2, 'rejected'],
    [3, 'activity'],
  ]);
});

test.each([
  ['an empty file', '', 'The file is empty'],
  ['white space alone', '\uFEFF\r\n \r\n', 'No column holds the id'],
  [
    'no Id column',
    'Subject,Status\nx,y\n',
    'No column holds the id: expected Id or Activity ID or Task ID or Event ID, or --map id=Column. Columns there are: Subject, Status.',
  ],
  ['data without a header', `${A},Call,ann@example.com\n`, 'The first line looks like data'],
  ['a column twice', 'Id,Subject,subject\n', 'names the column subject twice'],
  ['data with a value twice', `${A},Call,Call\n`, 'The first line looks like data'],
  ['UTF-16', Buffer.from('\uFEFFId,Subject\n', 'utf16le'), 'The file is UTF-16'],
  ['UTF-16 without a mark', Buffer.from('Id,Subject\n', 'utf16le'), 'probably UTF-16'],
  ['a header in Latin-1', Buffer.from('Id,Größe\n', 'latin1'), 'The header is not UTF-8'],
  ['a workbook', Buffer.from('PK\x03\x04'), 'Excel workbook'],
  ['carriage returns alone', `Id,Subject\r${A},x\r`, 'carriage return alone'],
  ['an open quote in the header', `"Id,Subject\n${A},x\n`, 'The first line is no header'],
])('%s is refused as a whole, with what to do', async (_what, content, message) => {
  await expect(read(content)).rejects.toMatchObject({
    name: 'UnreadableFile',
    message: expect.stringContaining(message),
  });
});

test('an object that is no activity and no related record is refused with the reason', async () => {
  await expect(read('Id\n', 'EmailMessage')).rejects.toThrow('EmailMessage is not imported: an e-mail is also a Task');
  await expect(read('Id\n', 'Invoice')).rejects.toThrow('The object must be one of Task, Event');
});

test('a mapped column that is missing is refused with the columns there are', async () => {
  await expect(read(`Id,Subject\n${A},x\n`, 'Task', { kind: 'Type__c' })).rejects.toThrow(
    'The mapping reads kind from the column Type__c, which the file does not have. Columns there are: Id, Subject.',
  );
});

test('a mapping gives kind and outcome with the column they came from', async () => {
  const [record] = activities(
    await read(`Id,Type__c,Result__c,When\n${A},Call,,2024-01-02T03:04:05Z\n`, 'Task', {
      kind: 'type__c',
      outcome: 'Result__c',
      completedAt: 'When',
    }),
  );
  expect(record).toMatchObject({
    kind: { value: 'Call', from: 'Type__c' },
    outcome: { value: null, from: 'Result__c' },
    extra: {},
  });
  expect(record?.facts.completedAt).toBe('2024-01-02T03:04:05.000Z');
});

const eventId = salesforceId('00U000000000001') as string;

test('a meeting has its start and its duration in seconds, from the minutes or from start and end', async () => {
  const [minutes] = activities(
    await read(
      `Id,StartDateTime,DurationInMinutes,ActivityDate\n${eventId},2024-01-23T09:00:00.000+0000,30,2024-01-23\n`,
      'Event',
    ),
  );
  expect(minutes?.facts).toMatchObject({
    startsAt: '2024-01-23T09:00:00.000Z',
    durationSeconds: 1800,
    dueOn: '2024-01-23',
  });
  const [ends] = activities(
    await read(`Id,ActivityDateTime,EndDateTime\n${eventId},2024-01-23T09:00:00Z,2024-01-23T09:45:00Z\n`, 'Event'),
  );
  expect(ends?.facts).toMatchObject({ startsAt: '2024-01-23T09:00:00.000Z', durationSeconds: 2700 });
});

test('an event of a whole day has a date and no start', async () => {
  const header = 'Id,IsAllDayEvent,StartDateTime,ActivityDate';
  for (const cells of ['true,2024-01-23T00:00:00.000Z,2024-01-23', '1,2024-01-23T00:00:00.000Z,']) {
    const [record] = activities(await read(`${header}\n${eventId},${cells}\n`, 'Event'));
    expect(record?.facts).toMatchObject({ allDay: true, startsAt: null, dueOn: '2024-01-23' });
  }
});

test("invitees' copies and records of a series are rejected as no meetings", async () => {
  const records = await read(
    `Id,IsChild,GroupEventType\n${eventId},true,1\n${eventId},false,3\n${eventId},,0\n`,
    'Event',
  );
  expect(rejects(records).map(({ reason }) => reason.split(';')[0])).toEqual([
    "this is an invitee's copy of a meeting (IsChild)",
    'this is the record of a series of meetings (GroupEventType 3)',
  ]);
  expect(activities(records)).toHaveLength(1);
});

test('of a private event the content is hidden', async () => {
  const [record] = activities(
    await read(`Id,Subject,Description,IsPrivate,Location,Contact\n${eventId},s,d,true,l,c\n`, 'Event'),
  );
  expect(record).toMatchObject({ subject: null, body: null, names: {}, extra: { Location: null } });
});

test('related records have a name and the links to roll up', async () => {
  const one = async (object: string, file: string) => (await read(file, object))[0];
  expect(
    await one(
      'Contact',
      'Id,FirstName,LastName,Email,AccountId\n003Ec00000CyOT7,Bo,Li,bo@example.com,001Ec00000GGw3h\n',
    ),
  ).toMatchObject({
    type: 'contact',
    name: 'Bo Li',
    email: 'bo@example.com',
    links: { accountId: '001Ec00000GGw3hIAD' },
  });
  expect(await one('Case', 'Id,CaseNumber,Subject,ContactId\n500Ec000009YUY8,0001,Broken,\n')).toMatchObject({
    name: '0001 · Broken',
    links: { contactId: null },
  });
  expect(await one('Account', 'Id,Name,ParentId\n001Ec00000GGw3h,Acme,0015300000MO103\n')).toMatchObject({
    name: 'Acme',
    links: { accountId: '0015300000MO103AAD' },
  });
  expect(await one('User', 'Id,Name,ManagerId,UserRoleId\n005Ec000004o8yH,Ann,005Ec000004oBPN,\n')).toMatchObject({
    type: 'user',
    links: { managerId: '005Ec000004oBPNIA2', teamId: null },
  });
});

test('a mapping for activities does not disturb the files of related records', async () => {
  expect(await read('Id,Name\n003Ec00000CyOT7,Bo\n', 'Contact', { kind: 'Type__c' })).toMatchObject([
    { noun: 'related-record', name: 'Bo' },
  ]);
});

test('whatever text stands in a cell, it is read back as it was written', async () => {
  const cell = fc.string({
    unit: fc.oneof(
      fc.constantFrom('"', ',', '\n', '\r', '\r\n', ';', ' ', '\0'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 30,
  });
  const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.integer({ min: 1, max: 50 }),
      async (rows, end, size) => {
        const file =
          [`Id,Subject,Description`, ...rows.map(([a, b], i) => `${taskId(i)},${quote(a)},${quote(b)}`)].join(end) +
          end;
        const records = activities(await read(file, 'Task', {}, size));
        expect(records.map(({ subject, body }) => [subject ?? '', body ?? ''])).toEqual(rows);
      },
    ),
    { numRuns: 200 },
  );
});

test('whatever bytes follow a header, reading ends with records and rejects whose lines ascend', async () => {
  const piece = fc.constantFrom('"', '""', ',', '\n', '\r\n', A, B, 'text', '\xff', `${C},ok\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 1, max: 40 }), async (pieces, size) => {
      const records = await read(Buffer.from(`Id,Subject\n${pieces.join('')}`, 'latin1'), 'Task', {}, size);
      const lines = records.map(({ line }) => line);
      expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
    }),
    { numRuns: 300 },
  );
});

test('reading asks for no more than it hands out', async () => {
  let given = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('Id,Subject\n');
    while (true) {
      given++;
      yield Buffer.from(`${A},${'x'.repeat(100)}\n`.repeat(1000));
    }
  }
  const records = readRecords(body(), { format: 'csv', object: 'Task', mapping: {} });
  for (let i = 0; i < 10; i++) await records.next();
  await records.return();
  expect(given).toBeLessThanOrEqual(2);
});
