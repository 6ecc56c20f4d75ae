/** Files that Salesforce's own tools wrote. They are no part of the project: where they are absent, this is skipped. */
import { createReadStream, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Inspection, inspectFile } from './inspect-file.ts';
import type { Mapping } from './mapping.ts';
import { readRecords } from './read-records.ts';

const folder = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const present = existsSync(`${folder}sfdc-data-cloud-workshop`);
const why = present ? '' : ' (skipped: the folder of sample files beside the project is absent)';

const inspect = (file: string, mapping: Mapping = {}): Promise<Inspection> =>
  inspectFile(createReadStream(folder + file), { format: 'csv', mapping });

describe.skipIf(!present)(`real files${why}`, () => {
  test.each([
    ['sfdc-data-cloud-workshop/Task.csv', 'Task', 75],
    ['sfdc-data-cloud-workshop/Account.csv', 'Account', 22],
    ['sfdc-data-cloud-workshop/Campaign.csv', 'Campaign', 8],
    ['sfdc-data-cloud-workshop/Case.csv', 'Case', 40],
    ['sfdc-data-cloud-workshop/Contact.csv', 'Contact', 102],
    ['sfdc-data-cloud-workshop/Lead.csv', 'Lead', 60],
    ['sfdc-data-cloud-workshop/Opportunity.csv', 'Opportunity', 50],
    ['sfdc-tldr-button/Task.csv', 'Task', 2],
    ['sfdc-tldr-button/Case.csv', 'Case', 3],
    ['sfdc-tldr-button/Contact.csv', 'Contact', 1],
    ['sfdc-tldr-button/Account.csv', 'Account', 1],
  ])('%s holds objects of %s, %i of them, none rejected', async (file, object, count) => {
    const { detected, counts } = await inspect(file);
    expect(detected).toEqual({ outcome: 'object', object });
    expect(counts.activities + counts.relatedRecords).toBe(count);
    expect(counts.rejected).toBe(0);
  });

  test('CampaignMember is skipped', async () => {
    expect((await inspect('sfdc-data-cloud-workshop/CampaignMember.csv')).detected).toMatchObject({
      outcome: 'skipped',
      object: 'CampaignMember',
    });
  });

  test('kinds stand in a custom field, which the dry run finds', async () => {
    const file = 'sfdc-data-cloud-workshop/Task.csv';
    const { kinds, hints } = await inspect(file);
    expect(kinds).toEqual({ task: 75 });
    expect(hints[0]).toContain('try --map kind=Type__c');
    expect((await inspect(file, { kind: 'Type__c' })).kinds).toEqual({ email: 18, call: 17, meeting: 12, task: 28 });
  });

  test('long bodies of many lines are whole', async () => {
    const body = createReadStream(`${folder}sfdc-tldr-button/Task.csv`, { highWaterMark: 100 });
    const records = await Array.fromAsync(readRecords(body, { format: 'csv', object: 'Task', mapping: {} }));
    expect(records.map((record) => (record.noun === 'activity' ? [record.line, record.body?.length] : null))).toEqual([
      [2, 5375],
      [22, 2320],
    ]);
  });
});
