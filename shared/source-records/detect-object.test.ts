import { expect, test } from 'vitest';
import { detectObject } from './detect-object.ts';

const header = ['Id', 'Name'];

test('what the caller says wins, in any case', () => {
  expect(detectObject({ header: ['Id', 'TaskSubtype'], firstIds: [], given: 'event' })).toEqual({
    outcome: 'object',
    object: 'Event',
  });
});

test('columns tell the object, by API name and by label', () => {
  expect(detectObject({ header: ['Id', 'TaskSubtype'], firstIds: [] })).toMatchObject({ object: 'Task' });
  expect(detectObject({ header: ['Activity ID', 'task subtype'], firstIds: [] })).toMatchObject({ object: 'Task' });
  expect(detectObject({ header: ['Id', 'IsAllDayEvent'], firstIds: [] })).toMatchObject({ object: 'Event' });
});

test('where columns do not tell, the prefix of the ids does', () => {
  expect(detectObject({ header, firstIds: ['003Ec00000CyOT7IAN', '003Ec00000CyOT7'] })).toEqual({
    outcome: 'object',
    object: 'Contact',
  });
  expect(detectObject({ header, firstIds: ['not an id', '00T000000000001'] })).toMatchObject({ object: 'Task' });
});

test("the file's name alone tells nothing", () => {
  const detected = detectObject({ fileName: 'Contact.csv', header, firstIds: [] });
  expect(detected).toEqual({
    outcome: 'ambiguous',
    reason:
      'It is not clear which object Contact.csv holds, neither the columns nor the ids tell; say which it is with --object, one of Task, Event, User, Contact, Lead, Account, Opportunity, Case, Campaign.',
  });
});

test('ids of two objects, and ids that contradict the columns, are ambiguous', () => {
  expect(detectObject({ header, firstIds: ['00T000000000001', '00U000000000001'] })).toMatchObject({
    outcome: 'ambiguous',
    reason: expect.stringContaining('the ids are of Task and Event'),
  });
  expect(detectObject({ header: ['Id', 'TaskSubtype'], firstIds: ['003Ec00000CyOT7'] })).toMatchObject({
    outcome: 'ambiguous',
    reason: expect.stringContaining('those of Task, but the ids are of Contact'),
  });
});

test('an object that is not known is refused with the list of those that are', () => {
  expect(detectObject({ header, firstIds: [], given: 'Invoice' })).toMatchObject({
    outcome: 'ambiguous',
    reason: expect.stringContaining('one of Task, Event'),
  });
  expect(detectObject({ header, firstIds: ['a0BEc00000CyOT7'] })).toMatchObject({ outcome: 'ambiguous' });
});

test('EmailMessage and CampaignMember are skipped by name', () => {
  expect(detectObject({ header: ['Id', 'TextBody', 'FromAddress'], firstIds: [] })).toMatchObject({
    outcome: 'skipped',
    object: 'EmailMessage',
  });
  expect(detectObject({ header, firstIds: [], given: 'campaignmember' })).toMatchObject({
    outcome: 'skipped',
    object: 'CampaignMember',
  });
  expect(detectObject({ header, firstIds: ['00vEc000000jeIl'] })).toMatchObject({ outcome: 'skipped' });
});
