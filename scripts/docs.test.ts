import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startSettings } from '#cli/start/config.ts';
import { configurationDoc, configurationDocFile } from '#scripts/configuration-doc.ts';
import { eventsDoc, eventsDocFile } from '#scripts/events-doc.ts';

test('docs/events.md is what the schemas say (npm run docs writes it)', async () => {
  expect(await readFile(eventsDocFile, 'utf8')).toBe(eventsDoc());
});

test('docs/configuration.md is what the settings say (npm run docs writes it), and every setting says what it is', async () => {
  expect(await readFile(configurationDocFile, 'utf8')).toBe(configurationDoc());
  for (const [name, { description }] of Object.entries(startSettings.shape)) expect(description, name).toMatch(/\S/);
});
