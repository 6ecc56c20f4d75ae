/** Files that Salesforce's own tools wrote, imported as a person would. They are no part of the project. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { random } from '#shared/demo/random.ts';
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import { inspectFile } from '#shared/source-records/inspect-file.ts';
import type { Api, Json } from './support/api.ts';
import { compareWithOracle } from './support/compare.ts';
import { type ImportFile, importFiles } from './support/import-files.ts';
import { importedRows } from './support/same-rows.ts';
import { type System, startSystem } from './support/system.ts';

const folder = fileURLToPath(new URL('../../shared/data/', import.meta.url));
const [workshop, button] = ['sfdc-data-cloud-workshop', 'sfdc-tldr-button'];
const present = existsSync(folder + workshop) && existsSync(folder + button);
const why = present ? '' : ` (skipped: ${folder} is not there)`;

/** Every CSV of a folder that is to be imported, and the objects that are named as skipped. */
async function filesOf(name: string): Promise<{ files: ImportFile[]; skipped: string[] }> {
  const files: ImportFile[] = [];
  const skipped: string[] = [];
  for (const fileName of (await readdir(folder + name)).filter((file) => file.endsWith('.csv')).sort()) {
    const text = readFileSync(`${folder}${name}/${fileName}`);
    const { detected } = await inspectFile(
      (async function* () {
        yield text;
      })(),
      { format: 'csv', mapping: {}, fileName },
    );
    if (detected.outcome === 'object') files.push({ object: detected.object, text });
    else if (detected.outcome === 'skipped') skipped.push(detected.object);
    else throw new Error(detected.reason);
  }
  return { files, skipped };
}

describe.skipIf(!present)(`real Salesforce files${why}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  afterAll(() => system?.[Symbol.asyncDispose]());

  const recordEvents = (events: readonly RecordedEvent[], tenant: string) =>
    events.filter(({ metadata, stream }) => metadata.tenant === tenant && /^(activity|related)-/.test(stream));

  async function all(api: Api, query = ''): Promise<Json[]> {
    const rows: Json[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await api.ok(api.get(`/activities?limit=200${query}${cursor && `&cursor=${cursor}`}`));
      rows.push(...body.data);
      if (body.page.next === null) return rows;
      cursor = body.page.next;
    }
  }

  test('of the workshop give 75 activities and 282 related records, of every type as many as there are lines', async () => {
    const api = await system.api('workshop');
    const { files, skipped } = await filesOf(workshop);
    expect(skipped).toEqual(['CampaignMember']);
    const { totals } = await importFiles(api, files);
    expect(totals).toEqual({
      received: 357,
      recorded: 357,
      revised: 0,
      unchanged: 0,
      stale: 0,
      deleted: 0,
      rejected: 0,
    });
    await system.settle();
    const rows = await system.rows();
    const types = new Map<string, number>();
    for (const row of rows.get('catalog.related_records')!.filter(({ tenant }) => tenant === 'workshop'))
      types.set(row['type'] as string, (types.get(row['type'] as string) ?? 0) + 1);
    expect(Object.fromEntries(types)).toEqual({
      account: 22,
      campaign: 8,
      case: 40,
      contact: 102,
      lead: 60,
      opportunity: 50,
    });

    const activities = await all(api);
    expect(activities).toHaveLength(75);
    const named = (role: string, type: string) =>
      activities.filter((row) => row[role]?.name && row[role].type === type).length;
    expect(named('who', 'contact')).toBe(60);
    expect(named('who', 'lead')).toBe(15);
    expect(activities.filter((row) => row.account?.name)).toHaveLength(36);
    expect(activities.filter((row) => row.owner?.name)).toHaveLength(0);
    expect(activities.filter((row) => row.owner?.id)).toHaveLength(75);
    // Every account can be asked for by itself, and together they are all.
    const accounts = new Set(activities.flatMap((row) => (row.account?.id ? [row.account.id] : [])));
    let found = 0;
    for (const account of accounts) found += (await all(api, `&account=${account}`)).length;
    expect(found).toBe(activities.filter((row) => row.account?.id).length);
  });

  test('with kind mapped to Type__c give 18 emails, 17 calls, 12 meetings and 28 tasks', async () => {
    const api = await system.api('mapped');
    const { files } = await filesOf(workshop);
    await importFiles(
      api,
      files.filter(({ object }) => object === 'Task'),
      { mapping: { kind: 'Type__c' } },
    );
    await system.settle();
    const count = async (kind: string) => (await api.get(`/activities?kind=${kind}`)).body.total;
    const of = (value: number) => ({ value, exact: true });
    expect([
      await count('email'),
      await count('call'),
      await count('meeting'),
      await count('task'),
      await count('note'),
    ]).toEqual([18, 17, 12, 28, 0].map(of));
  });

  test('of the button give 2 activities of 30 lines, 3 cases, 1 contact and 1 account, bodies whole', async () => {
    const api = await system.api('button');
    const { files } = await filesOf(button);
    const tasks = files.find(({ object }) => object === 'Task')!.text as Buffer;
    expect(tasks.toString().trimEnd().split('\n')).toHaveLength(30);
    const { totals } = await importFiles(api, files);
    expect(totals).toMatchObject({ received: 7, recorded: 7, rejected: 0 });
    await system.settle();
    const activities = await all(api);
    expect(activities).toHaveLength(2);
    // Quoted text is taken from the file by hand: from the opening quote of the cell to its end.
    for (const { id } of activities) {
      const { body } = (await api.get(`/activities/${id}`)).body;
      expect(body.length).toBeGreaterThan(500);
      expect(tasks.toString()).toContain(`"${body.replaceAll('"', '""')}"`);
    }
    const types = (await system.rows())
      .get('catalog.related_records')!
      .filter(({ tenant }) => tenant === 'button')
      .map(({ type }) => type);
    expect(types.sort()).toEqual(['account', 'case', 'case', 'case', 'contact']);
  });

  test.each([workshop, button])(
    '%s imported again adds no activity or related event, and all are counted unchanged',
    async (name) => {
      const api = await system.api(name);
      const { files } = await filesOf(name);
      const first = await importFiles(api, files);
      const before = recordEvents(await system.events(), name);
      for (const mode of ['partial', 'incremental', 'full'] as const) {
        const { totals, run } = await importFiles(api, files, { mode });
        expect(run).not.toBe(first.run);
        const received = first.totals['received']!;
        expect(totals).toEqual({
          received,
          recorded: 0,
          revised: 0,
          unchanged: received,
          stale: 0,
          deleted: 0,
          rejected: 0,
        });
      }
      expect(recordEvents(await system.events(), name)).toEqual(before);
      expect(before).toHaveLength(first.totals['recorded']!);
    },
  );

  test('in any order of files give the same final rows, but for salts, hashes, positions and times', {
    timeout: 60_000,
  }, async () => {
    const { files } = await filesOf(workshop);
    const draw = random(9);
    const orders = [
      files,
      [...files].reverse(),
      ...[1, 2, 3].map(() =>
        files
          .map((file) => ({ file, at: draw.next() }))
          .sort((a, b) => a.at - b.at)
          .map(({ file }) => file),
      ),
    ];
    expect(new Set(orders.map((order) => order.map(({ object }) => object).join())).size).toBe(orders.length);
    for (const [index, order] of orders.entries()) await importFiles(await system.api(`order-${index}`), order);
    // One file a run is another order of runs.
    for (const file of [...files].reverse()) await importFiles(await system.api('one-by-one'), [file]);
    await system.settle();
    const rows = await system.rows();
    const wanted = importedRows(rows, 'order-0');
    expect(wanted['activities']).toHaveLength(75);
    expect(wanted['related']).toHaveLength(282);
    for (const tenant of [...orders.keys()]
      .slice(1)
      .map((index) => `order-${index}`)
      .concat('one-by-one'))
      expect(importedRows(rows, tenant), tenant).toEqual(wanted);
    // And what is shown, with names and accounts from other files, is the same.
    const shown = async (tenant: string) =>
      (await all(await system.api(tenant), '&sort=dueOn'))
        .map(({ id, contentHash, changedAt, ...row }) => row)
        .sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
    const first = await shown('order-0');
    expect(await shown('order-1')).toEqual(first);
    expect(await shown('one-by-one')).toEqual(first);
    expect(await compareWithOracle(system)).toEqual([]);
  });
});
