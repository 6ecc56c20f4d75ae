import { expect, test } from 'vitest';
import { auditText } from '#cli/audit.ts';
import { bytes, plain } from '#cli/output.ts';
import { progress, progressText } from '#cli/progress.ts';
import { shorten, tableOf, widthOf } from '#cli/table.ts';
import { fractionOf } from '#shared/event-log/position.ts';

test('columns stand under their headings, and the flexible one takes what the screen leaves', () => {
  const columns = [
    { title: 'KIND', text: (row: { kind: string }) => row.kind },
    { title: 'SUBJECT', text: (row: { subject: string }) => row.subject, flexible: true as const },
    { title: 'N', text: (row: { n: number }) => String(row.n), right: true as const },
  ];
  const rows = [
    { kind: 'call', subject: 'Renewal of the contract with Acme', n: 7 },
    { kind: 'meeting', subject: '契約', n: 12 },
  ];
  const table = tableOf(columns, rows, 34);
  expect([table.head(), ...rows.map(table.row)]).toEqual([
    'KIND     SUBJECT                 N',
    'call     Renewal of the contr…   7',
    'meeting  契約                   12',
  ]);
});

test('wide characters count as two cells, and shortening never cuts one in half', () => {
  expect(widthOf('契約 ok')).toBe(7);
  expect(shorten('契約書', 4)).toBe('契…');
  expect(shorten('👩‍👩‍👧 family', 4)).toBe('👩‍👩‍👧…');
});

test('text of others cannot command the terminal', () => {
  expect(plain('a\u001b[2Jb\r\nc\u202ed')).toBe('a [2Jb cd');
});

test('bytes are told with few digits', () => {
  expect([0, 999, 1_500, 4_200_000, 123_456_789].map(bytes)).toEqual(['0 B', '999 B', '1.5 kB', '4.2 MB', '123 MB']);
});

test('a bar shows the part that is done; without an end only the figures', () => {
  expect(progressText({ label: 'Sending Task.csv', fraction: 0.5, facts: '1 MB of 2 MB' }, 100)).toBe(
    'Sending Task.csv  [############............]  50 %  1 MB of 2 MB',
  );
  expect(progressText({ label: 'Reading Task.csv', fraction: null, facts: '1 MB' }, 100)).toBe(
    'Reading Task.csv  1 MB',
  );
  expect(progressText({ label: 'Sending Task.csv', fraction: 2, facts: 'much' }, 20)).toHaveLength(20);
});

test('progress is drawn at a bearable rate and taken away in the end', () => {
  const written: string[] = [];
  let now = 0;
  const bar = progress({
    json: false,
    terminal: { columns: 80, write: (text: string) => written.push(text) },
    now: () => now,
  });
  for (now = 0; now < 1_000; now += 10)
    bar.update(
      () => ({ label: 'x', fraction: null, facts: String(now) }),
      () => ({}),
    );
  bar.end();
  bar.end();
  expect(written).toHaveLength(11);
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('a line of the audit trail says when, who, from where, what and the facts', () => {
  const line = auditText({
    action: 'SelectionFrozen',
    entity: { category: 'selection', id: 's-1' },
    at: '2026-01-31T09:30:00.000Z',
    actor: { id: 'ann', name: 'Ann Lee' },
    from: { address: '10.0.0.1', userAgent: null },
    summary: { count: 3, name: 'Answered calls', purpose: null, filter: { kind: ['call'] }, parts: [{}, {}] },
  });
  expect(line).toBe(
    '2026-01-31 09:30:00.000Z  ann (Ann Lee)  10.0.0.1  SelectionFrozen  selection-s-1  count=3 name="Answered calls" filter={"kind":["call"]} parts=[2]',
  );
});

test('how far a rebuild is follows from the positions of one log', () => {
  expect(fractionOf('73ed89a2-0000000000000008', '73ed89a2-0000000000000010')).toBe(0.5);
  expect(fractionOf('73ed89a2-0000000000000000', '73ed89a2-0000000000000000')).toBeNull();
});
