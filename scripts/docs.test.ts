import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { eventsDoc, eventsDocFile } from '#scripts/events-doc.ts';

test('docs/events.md is what the schemas say (npm run docs writes it)', async () => {
  expect(await readFile(eventsDocFile, 'utf8')).toBe(eventsDoc());
});
