import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { ActivitySnapshot } from '#shared/events/activity.ts';
import { activityContentHash, newSalt, relatedRecordContentHash } from '#shared/events/content-hash.ts';
import type { RelatedRecordSnapshot } from '#shared/events/related-record.ts';
import { selectionDigest } from '#shared/events/selection-digest.ts';
import { activityId } from '#shared/events/stream-name.ts';

const root = new URL('../../', import.meta.url);
const golden = (type: string) =>
  JSON.parse(readFileSync(new URL(`shared/events/golden/${type}.v1.json`, root), 'utf8'));

describe('test vectors, which must never change', () => {
  test('content hash of an activity', () => {
    const data = golden('ActivityRecorded').data as ActivitySnapshot;
    expect(activityContentHash(data.personal.salt, { ...data, ...data.personal })).toBe(
      'h1:efa5a81f7cc3069fff96d6d87e5fd0e4dbdfd2f138d3dd87f2398e996208c25d',
    );
  });

  test('content hash of a related record', () => {
    const data = golden('RelatedRecordAdded').data as RelatedRecordSnapshot;
    expect(relatedRecordContentHash(data.personal.salt, { ...data, ...data.personal })).toBe(
      'h1:16dad98d7c947d09fbf94eafbf30124485e6d94b4099ed732e0c1462d4990251',
    );
  });

  test('digest of a selection, in whatever order the items come', () => {
    const { items } = golden('ActivitiesSelected').data;
    const digest = 'sha-256:6b39c99c8608ee78226687687ee8e0578f5a62a8c53157b786e99617446df904';
    expect(selectionDigest(items)).toBe(digest);
    expect(selectionDigest(items.toReversed())).toBe(digest);
  });

  test('identity of an activity', () => {
    expect(activityId('demo', 'salesforce', '00TEc00000Co1WhMAJ')).toBe('f3c2f70b-344f-59fa-8b5c-728b000e7f38');
  });
});

test('a hash depends on its salt, and salts differ', () => {
  const data = golden('ActivityRecorded').data as ActivitySnapshot;
  const content = { ...data, ...data.personal };
  expect(newSalt()).not.toBe(newSalt());
  expect(activityContentHash(newSalt(), content)).not.toBe(activityContentHash(newSalt(), content));
});

const python = spawnSync('python3', ['--version']).status === 0;

test.skipIf(!python)(
  'the script in docs/hashes.md, in another language, prints the vectors beside it (needs python3)',
  () => {
    const doc = readFileSync(new URL('docs/hashes.md', root), 'utf8');
    const [, script] = /```python\n([\s\S]*?)```/.exec(doc) ?? [];
    const [, , files, printed] = /```\n(python3 check\.py (.*))\n```[\s\S]*?```\n([\s\S]*?)```/.exec(doc) ?? [];
    const folder = mkdtempSync(path.join(tmpdir(), 'cool-mint-hashes-'));
    try {
      const file = path.join(folder, 'check.py');
      writeFileSync(file, script as string);
      const output = execFileSync('python3', [file, ...(files as string).split(' ')], {
        cwd: fileURLToPath(root),
        encoding: 'utf8',
      });
      expect(output).toBe(printed);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
