import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { derive } from '#shared/source-records/derive.ts';
import { readRecords } from '#shared/source-records/read-records.ts';
import type { ActivityRecord, RelatedRecord, SourceRecord } from '#shared/source-records/source-record.ts';
import { wholeFacts } from '#shared/source-records/whole-facts.ts';
import { type DemoFile, type DemoOptions, demoFiles } from './demo-files.ts';
import { callSeconds } from './figures.ts';

async function* bytesOf(file: DemoFile): AsyncGenerator<Uint8Array> {
  for (const chunk of file.rows()) yield Buffer.from(chunk);
}
const recordsOf = async (file: DemoFile): Promise<SourceRecord[]> =>
  Array.fromAsync(readRecords(bytesOf(file), { format: 'csv', object: file.object, mapping: {} }));

function digest(options: DemoOptions): string {
  const hash = createHash('sha256');
  for (const file of demoFiles(options)) for (const chunk of file.rows()) hash.update(chunk);
  return hash.digest('hex');
}

test('the same seed gives the same bytes, on every machine', () => {
  expect(digest({ activities: 1000, seed: 1 })).toBe(
    '0efe1f8692146e0bbfc3287bb199d09c018478dc35e0deba3d59a26dbb28d4af',
  );
});

test('another seed, size or date gives other bytes', () => {
  const digests = [
    { activities: 100, seed: 1 },
    { activities: 100, seed: 2 },
    { activities: 100, seed: 2 ** 40 },
    { activities: 101, seed: 1 },
    { activities: 100, seed: 1, until: '2027-01-01' },
  ].map(digest);
  expect(new Set(digests).size).toBe(digests.length);
});

test('options that make no sense are refused', () => {
  for (const options of [
    { activities: -1, seed: 1 },
    { activities: 1.5, seed: 1 },
    { activities: 1, seed: -1 },
    { activities: 1, seed: 1, until: 'soon' },
  ])
    expect(() => demoFiles(options)).toThrow(RangeError);
});

test('the smallest sizes work', async () => {
  for (const activities of [0, 1, 7]) {
    const records = (await Promise.all(demoFiles({ activities, seed: 3 }).map(recordsOf))).flat();
    expect(records.filter(({ noun }) => noun === 'activity')).toHaveLength(activities);
    expect(records.filter(({ noun }) => noun === 'rejected')).toEqual([]);
  }
});

describe('20,000 activities', async () => {
  const files = demoFiles({ activities: 20_000, seed: 42 });
  const read = new Map<string, SourceRecord[]>();
  for (const file of files) read.set(file.object, await recordsOf(file));
  const all = [...read.values()].flat();
  const tasks = read.get('Task') as ActivityRecord[];
  const events = read.get('Event') as ActivityRecord[];
  const share = (is: (task: ActivityRecord) => unknown): number => tasks.filter(is).length / tasks.length;
  const kindOf = (record: ActivityRecord) =>
    derive({ facts: wholeFacts(record), subject: record.subject ?? null }).kind;

  test('none is rejected, and tasks and events are as many as asked for', () => {
    expect(all.filter(({ noun }) => noun === 'rejected')).toEqual([]);
    expect(tasks.length + events.length).toBe(20_000);
    expect(events).toHaveLength(1600);
  });

  test('every id is there once, and every reference leads to a record', () => {
    const known = new Set(all.map(({ sourceId }) => sourceId));
    expect(known.size).toBe(all.length);
    for (const { facts } of [...tasks, ...events])
      for (const id of [facts.ownerId, facts.accountId, facts.whoId, facts.whatId])
        if (id) expect(known.has(id), id).toBe(true);
    for (const { links } of all.filter(
      (record): record is RelatedRecord & { line: number } => record.noun === 'related-record',
    ))
      for (const id of [links.accountId, links.contactId, links.managerId])
        if (id) expect(known.has(id), id).toBe(true);
  });

  test('fields are filled as published, within one percentage point', () => {
    const published: [number, (task: ActivityRecord) => unknown][] = [
      [0.999, ({ subject }) => subject],
      [0.905, ({ facts }) => facts.completedAt],
      [0.879, ({ facts }) => facts.whatId],
      [0.852, ({ facts }) => facts.dueOn],
      [0.75, ({ body }) => body],
      [0.308, ({ facts }) => facts.type],
      [0.226, ({ facts }) => facts.callType],
      [0.21, ({ facts }) => facts.durationSeconds],
      [0.117, ({ facts }) => facts.accountId],
      [0.115, ({ facts }) => facts.whoId],
      [0.041, ({ facts }) => facts.callDisposition],
    ];
    for (const [expected, is] of published) expect(Math.abs(share(is) - expected), String(is)).toBeLessThan(0.01);
  });

  test('call seconds follow the published quantiles, within a tenth; the 99th, above which some 40 calls lie, within a quarter', () => {
    const seconds = tasks.flatMap(({ facts }) => facts.durationSeconds ?? []).sort((a, b) => a - b);
    for (const [q, expected] of [
      [0.1, 58],
      [0.5, 180],
      [0.9, 548],
      [0.99, 1269],
    ] as const)
      expect(Math.abs((seconds[Math.floor(q * seconds.length)] ?? 0) / expected - 1), `p${q * 100}`).toBeLessThan(
        q > 0.9 ? 0.25 : 0.1,
      );
    expect(seconds.at(-1)).toBeLessThanOrEqual(4918);
    expect([0, 0.1, 0.5, 0.9, 0.99, 1].map(callSeconds)).toEqual([4, 58, 180, 548, 1269, 4918]);
  });

  test('the awkward ones of real orgs occur: calls known by the subtype only, and by the type only', () => {
    const calls = tasks.filter((task) => kindOf(task) === 'call');
    expect(
      calls.filter(({ facts }) => facts.type === null && facts.subtype === 'Call').length / calls.length,
    ).toBeCloseTo(0.657, 1);
    expect(calls.some(({ facts }) => facts.type === 'Call' && facts.subtype === 'Task')).toBe(true);
    expect(calls.some(({ subject }) => subject === 'missed: Inbound call.')).toBe(true);
    expect(events.every((event) => kindOf(event) === 'meeting')).toBe(true);
  });

  test('nothing was written after the reference date, and nothing more than two years and a few days before', () => {
    const stamps = [...tasks, ...events].map(({ facts }) => facts.createdAt as string).sort();
    expect((stamps[0] as string) > '2024-10-20').toBe(true);
    expect((stamps.at(-1) as string) > '2026-10-25').toBe(true);
    expect(all.every((record) => record.noun === 'rejected' || (record.sourceModifiedAt ?? '') < '2026-11-01')).toBe(
      true,
    );
  });
});
