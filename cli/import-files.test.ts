import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dryRun, dryRunText } from '#cli/dry-run.ts';
import { checkFiles, lookAtFiles, readMapping, sourceOf } from '#cli/import-files.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cool-mint-import-'));
  await mkdir(at('sub'));
  const tasks = [
    'Id,Subject,Status,TaskSubtype,Type__c',
    '00T000000000001EAA,Hello,Completed,Task,Call',
    '00T000000000002EAA,Again,Open,Task,Email',
    'nonsense,x,Open,Task,Call',
  ];
  await writeFile(at('tasks.csv'), `${tasks.join('\n')}\n`);
  await writeFile(at('members.csv'), 'Id,LeadOrContactId\n00v000000000001AAA,003000000000001AAA\n');
  await writeFile(at('unclear.csv'), 'Number,Text\n1,a\n');
  await writeFile(at('Büro Calls 1.ndjson'), '{"id":"1","kind":"call"}\n');
  await writeFile(at('wide.csv'), Buffer.from('\ufeffId,Name\n', 'utf16le'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('files that are not there, and folders, are all named before anything is sent', async () => {
  await expect(checkFiles([at('none.csv'), at('sub'), at('tasks.csv')])).rejects.toThrow(
    /none\.csv: there is no such file\n.*sub: is a folder/,
  );
});

test('the ending of the name tells NDJSON from CSV', async () => {
  expect((await checkFiles([at('tasks.csv'), at('Büro Calls 1.ndjson')])).map(({ format }) => format)).toEqual([
    'csv',
    'ndjson',
  ]);
});

test('what is no activity and no related record is skipped by name; what is not clear stops everything', async () => {
  const { parts, skipped } = await lookAtFiles(await checkFiles([at('tasks.csv'), at('members.csv')]), { mapping: {} });
  expect(parts.map(({ object }) => object)).toEqual(['Task']);
  expect(skipped).toMatchObject([{ object: 'CampaignMember' }]);
  await expect(lookAtFiles(await checkFiles([at('tasks.csv'), at('unclear.csv')]), { mapping: {} })).rejects.toThrow(
    /not clear which object.*unclear\.csv[\s\S]*--object/,
  );
  await expect(lookAtFiles(await checkFiles([at('wide.csv')]), { mapping: {} })).rejects.toThrow(
    /wide\.csv: The file is UTF-16/,
  );
});

test('a mapped column that a file lacks is told before anything is sent', async () => {
  await expect(lookAtFiles(await checkFiles([at('tasks.csv')]), { mapping: { kind: 'Nope__c' } })).rejects.toThrow(
    /Nope__c, which the file does not have/,
  );
});

test('the source of CSV is salesforce; of one NDJSON file it follows from its name; of more it has to be said', () => {
  const csv = { path: 'Task.csv', format: 'csv' as const };
  const lines = { path: 'x/Büro Calls 1.ndjson', format: 'ndjson' as const };
  expect(sourceOf([csv, csv], undefined)).toEqual({ source: 'salesforce', concluded: false });
  expect(sourceOf([lines], undefined)).toEqual({ source: 'ndjson:buro-calls-1', concluded: true });
  expect(() => sourceOf([lines, csv], undefined)).toThrow(/Say which system the records are of, with --source/);
  expect(sourceOf([lines, csv], 'salesforce:eu')).toEqual({ source: 'salesforce:eu', concluded: false });
  expect(() => sourceOf([csv], 'Salesforce')).toThrow(/a source is/);
});

test('arguments win over the mapping file, and mistakes in either are told', async () => {
  const file = async () => '{"kind":"A","outcome":"B"}';
  expect(await readMapping(['kind=C'], 'm.json', file)).toEqual({ kind: 'C', outcome: 'B' });
  await expect(readMapping([], 'm.json', async () => '{')).rejects.toThrow(/m\.json is no JSON/);
  await expect(readMapping([], at('none.json'), (name) => readFile(name, 'utf8'))).rejects.toThrow(
    /cannot be read \(ENOENT\)/,
  );
  await expect(readMapping(['colour=X'], undefined, file)).rejects.toThrow(/there is no field "colour"/);
});

test('a dry run tells columns, counts, rejects with their lines, kinds and hints', async () => {
  const [file] = await checkFiles([at('tasks.csv')]);
  const result = await dryRun(file!, { mapping: {} });
  expect(result).toMatchObject({
    outcome: 'ok',
    detected: { object: 'Task' },
    counts: { activities: 2, rejected: 1 },
    kinds: { task: 2 },
    extra: ['Type__c'],
  });
  const text = dryRunText(result);
  expect(text).toContain('Task, 2 activities, 0 related records, 1 rejected');
  expect(text).toMatch(/rejected {2}line 4/);
  expect(text).toContain('try --map kind=Type__c');
  expect(await dryRun(file!, { mapping: { kind: 'Type__c' } })).toMatchObject({ kinds: { call: 1, email: 1 } });
  const [unclear] = await checkFiles([at('unclear.csv')]);
  expect(dryRunText(await dryRun(unclear!, { mapping: {} }))).toContain('cannot be imported. It is not clear');
});
