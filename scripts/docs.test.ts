import { readdir, readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startSettings } from '#cli/start/config.ts';
import { configurationDoc, configurationDocFile } from '#scripts/configuration-doc.ts';
import { eventsDoc, eventsDocFile } from '#scripts/events-doc.ts';
import { problemKinds } from '#shared/http/problem.ts';
import { query } from '#shared/postgres/embedded/running-server.ts';
import { createTestDatabase } from '#shared/testing/test-database.ts';

const root = new URL('../', import.meta.url);

import { metricsDoc, metricsDocFile, productMetrics } from '#scripts/metrics-doc.ts';

test('docs/events.md is what the schemas say (npm run docs writes it)', async () => {
  expect(await readFile(eventsDocFile, 'utf8')).toBe(eventsDoc());
});

test('docs/configuration.md is what the settings say (npm run docs writes it), and every setting says what it is', async () => {
  expect(await readFile(configurationDocFile, 'utf8')).toBe(configurationDoc());
  for (const [name, { description }] of Object.entries(startSettings.shape)) expect(description, name).toMatch(/\S/);
});

test('docs/metrics.md is what the registry says (npm run docs writes it), and every metric says what it is, by the rules of Prometheus', async () => {
  expect(await readFile(metricsDocFile, 'utf8')).toBe(metricsDoc());
  for (const { name, type, labelNames, help } of productMetrics()) {
    expect(help, name).toMatch(/\S.*\.$/);
    expect(name).toMatch(/^[a-z][a-z_]+$/);
    expect(name.endsWith('_total'), name).toBe(String(type) === 'counter');
    if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
    // Values of these would be without bound, or tell of people.
    for (const label of labelNames)
      expect(['tenant', 'id', 'actor', 'source', 'path', 'url'], name).not.toContain(label);
  }
});

/** Documents for people, by their names from the root of the project. */
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...(await readdir(new URL('docs/', root), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (document: string) => readFile(new URL(document, root), 'utf8');

/** Cells of the first column of each table whose first heading is this one. */
function firstColumns(text: string, heading: string): string[] {
  const tables = text.matchAll(new RegExp(`^\\| ${heading} \\|.*\\n\\|[-| ]+\\n((?:\\|.*\\n)*)`, 'gm'));
  return [...tables].flatMap(([, rows = '']) => [...rows.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell as string));
}

/** As headings are linked to. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

test.each(documents)('what %s links to in this project is there', async (document) => {
  const text = (await textOf(document)).replaceAll(/^```[\s\S]*?^```/gm, '');
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
    const [file = '', anchor] = target.split('#');
    const place = file === '' ? new URL(document, root) : new URL(file, new URL(document, root));
    await expect(stat(place), `${document} links to ${target}`).resolves.toBeTruthy();
    if (anchor === undefined) continue;
    const anchors = [...(await readFile(place, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      anchorOf(heading),
    );
    expect(anchors, `${document} links to ${target}`).toContain(anchor);
  }
});

test('SQL that documents show runs on the tables that there are', async () => {
  const texts = await Promise.all(documents.map(textOf));
  const statements = texts.flatMap((text) =>
    [...text.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(([, sql = '']) => sql),
  );
  expect(statements.length).toBeGreaterThan(1);
  const database = await createTestDatabase();
  try {
    for (const statement of statements) await query(database.url, statement);
  } finally {
    await database.drop();
  }
});

test('problem codes that documents list exist, and troubleshooting has each that is nobody’s wrong request', async () => {
  for (const document of documents)
    for (const cell of firstColumns(await textOf(document), 'code'))
      expect(Object.keys(problemKinds), `${document}: ${cell}`).toContain(cell.replaceAll('`', ''));
  const told = firstColumns(await textOf('docs/troubleshooting.md'), 'code').map((cell) => cell.replaceAll('`', ''));
  for (const [code, { status }] of Object.entries(problemKinds))
    if (status >= 500 || status === 401 || status === 403) expect(told).toContain(code);
});

test('messages that troubleshooting quotes are in the code', async () => {
  const sources: string[] = [];
  for (const folder of ['cli', 'shared', 'command-service', 'projector', 'query-service'])
    for (const name of await readdir(new URL(`${folder}/`, root), { recursive: true }))
      if (name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('testing/'))
        sources.push(await readFile(new URL(`${folder}/${name}`, root), 'utf8'));
  const code = sources.join('\n');
  const quoted = firstColumns(await textOf('docs/troubleshooting.md'), 'it says').flatMap((cell) => cell.split('…'));
  expect(quoted.length).toBeGreaterThan(20);
  for (const part of quoted.map((each) => each.trim()).filter(Boolean)) expect(code, part).toContain(part);
});
