import { expect, test } from 'vitest';
import type { ActivityFacts } from '#shared/events/activity.ts';
import { derive } from './derive.ts';
import { wholeFacts } from './whole-facts.ts';

const facts = (some: Partial<ActivityFacts>): ActivityFacts => ({
  ...wholeFacts({ object: 'Task', facts: {} }),
  ...some,
});
const of = (some: Partial<ActivityFacts>, subject: string | null = null) => derive({ facts: facts(some), subject });

test.each<[string, Partial<ActivityFacts>, string, string]>([
  ['type null, subtype Call', { subtype: 'Call' }, 'call', 'TaskSubtype'],
  ['type Call, subtype Task', { type: 'Call', subtype: 'Task' }, 'call', 'Type'],
  ['type Email, subtype Task', { type: 'Email', subtype: 'Task' }, 'email', 'Type'],
  ['subtype ListEmail', { subtype: 'ListEmail' }, 'email', 'TaskSubtype'],
  ['a call type alone', { callType: 'Outbound' }, 'call', 'CallType'],
  ['a call duration alone', { durationSeconds: 12, subtype: 'Task' }, 'call', 'CallDurationInSeconds'],
  ['a duration of 0', { durationSeconds: 0 }, 'task', 'object'],
  ['an Event', { object: 'Event', subtype: 'Event', durationSeconds: 1800 }, 'meeting', 'object'],
  ['an Event of type Call', { object: 'Event', subtype: 'Event', type: 'Call' }, 'call', 'Type'],
  ['a text message', { type: 'Outgoing SMS', subtype: 'Task' }, 'task', 'object'],
  ['subtype LinkedIn', { subtype: 'LinkedIn' }, 'task', 'object'],
])('%s', (_what, some, kind, kindFrom) => {
  expect(of(some)).toMatchObject({ kind, kindFrom });
});

test('a mapped kind wins, in any spelling; one that names no kind leaves it to the other fields', () => {
  const mapped = (value: string | null) =>
    derive({ facts: facts({ type: 'Call' }), subject: null, kind: { value, from: 'Type__c' } });
  for (const value of ['E-mail', 'EMAIL', 'e mail'])
    expect(mapped(value)).toMatchObject({ kind: 'email', kindFrom: 'Type__c' });
  for (const value of ['To-Do', 'task']) expect(mapped(value)).toMatchObject({ kind: 'task', kindFrom: 'Type__c' });
  for (const value of ['Prep', '', null]) expect(mapped(value)).toMatchObject({ kind: 'call', kindFrom: 'Type' });
});

test('closed is what the source says, else what the status means, else not', () => {
  expect(of({ closed: false, status: 'Completed' })).toMatchObject({ isClosed: false, isClosedFrom: 'IsClosed' });
  expect(of({ status: 'Completed' })).toMatchObject({ isClosed: true, isClosedFrom: 'Status' });
  expect(of({ status: 'In Progress' })).toMatchObject({ isClosed: false, isClosedFrom: 'Status' });
  expect(of({ object: 'Event' })).toMatchObject({ isClosed: false, isClosedFrom: 'default' });
});

test('direction comes from the call type, else the type, else the subject', () => {
  expect(of({ callType: 'Internal' }, 'Outbound call')).toMatchObject({
    direction: 'internal',
    directionFrom: 'CallType',
  });
  expect(of({ type: 'Incoming SMS' })).toMatchObject({ direction: 'inbound', directionFrom: 'Type' });
  expect(of({}, 'missed: Inbound call.')).toMatchObject({ direction: 'inbound', directionFrom: 'Subject' });
  expect(of({}, 'Hello')).toMatchObject({ direction: null, directionFrom: null });
});

test('outcome comes from the mapping, else the disposition, else the subject', () => {
  const call = facts({ subtype: 'Call', callDisposition: ' Reached Voicemail ' });
  expect(derive({ facts: call, subject: 'missed: x', outcome: { value: 'Won', from: 'Result__c' } })).toMatchObject({
    outcome: 'won',
    outcomeFrom: 'Result__c',
  });
  expect(derive({ facts: call, subject: 'missed: x', outcome: { value: null, from: 'Result__c' } })).toMatchObject({
    outcome: 'reached voicemail',
    outcomeFrom: 'CallDisposition',
  });
  for (const [subject, outcome] of [
    ['answered: Outbound call.', 'answered'],
    ['missed: Inbound call.', 'missed'],
    ['Call - left a voice mail', 'voicemail'],
    ['Call, no-answer', 'no answer'],
    ['busy: Outbound call.', 'busy'],
    ['Call about a busy week', null],
  ] as const)
    expect(of({ subtype: 'Call' }, subject)).toMatchObject({
      outcome,
      outcomeFrom: outcome === null ? null : 'Subject',
    });
  expect(of({}, 'Set up voicemail for Ann').outcome).toBeNull();
});

test('it occurred when it was completed, else when it started, else when it was written down', () => {
  const [completedAt, startsAt, createdAt] = [
    '2024-01-03T00:00:00.000Z',
    '2024-01-02T00:00:00.000Z',
    '2024-01-01T00:00:00.000Z',
  ];
  expect(of({ completedAt, startsAt, createdAt })).toMatchObject({
    occurredAt: completedAt,
    occurredAtFrom: 'CompletedDateTime',
  });
  expect(of({ startsAt, createdAt })).toMatchObject({ occurredAt: startsAt, occurredAtFrom: 'StartDateTime' });
  expect(of({ createdAt })).toMatchObject({ occurredAt: createdAt, occurredAtFrom: 'CreatedDate' });
  expect(of({})).toMatchObject({ occurredAt: null, occurredAtFrom: null });
});
