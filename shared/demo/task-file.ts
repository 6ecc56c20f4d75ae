/** The rows of demo Tasks, by the published figures in figures.ts. */
import type { Cells } from './csv-text.ts';
import { type Activity, callSeconds, callSubjects, fill, taskShapes } from './figures.ts';
import type { Random } from './random.ts';
import { type References, references } from './references.ts';
import { someSentences } from './some-sentences.ts';
import { callTopics, dispositions, emailTopics, todoTopics } from './words.ts';
import { ageOf, DAY, dateOf, demoId, randomOf, stamp, type World, workingTime } from './world.ts';

export const taskHeader: Cells = [
  ...[
    'Id',
    'WhoId',
    'WhatId',
    'Subject',
    'ActivityDate',
    'Status',
    'Priority',
    'OwnerId',
    'Description',
    'IsDeleted',
    'AccountId',
    'IsClosed',
  ],
  ...[
    'CreatedDate',
    'CreatedById',
    'LastModifiedDate',
    'SystemModstamp',
    'IsArchived',
    'CallDurationInSeconds',
    'CallType',
    'CallDisposition',
  ],
  ...['ReminderDateTime', 'IsReminderSet', 'TaskSubtype', 'Type', 'CompletedDateTime'],
];

const open = [
  ['Not Started', 0.55],
  ['In Progress', 0.3],
  ['Waiting on someone else', 0.1],
  ['Deferred', 0.05],
] as const;
const priorities = [
  ['Normal', 0.86],
  ['High', 0.11],
  ['Low', 0.03],
] as const;

/** Calls have a person more often than the rest; together it is the published share. */
const WHO_OF_CALLS = 0.4;
const callShare = taskShapes.reduce((sum, [shape, weight]) => (shape.is === 'call' ? sum + weight : sum), 0);
const whoOfOthers = (fill.whoId - callShare * WHO_OF_CALLS) / (1 - callShare);
/** An account is known for about 80 % (through WhatId or WhoId); AccountId says it for 11.7 % of all. */
const accountShare = fill.accountId / 0.8;
/** Shares among calls; those of the type are a little above the share of calls, so that nearly every call has one. */
const hasCallType = Math.min(1, fill.callType / callShare);
const hasDuration = fill.callDuration / callShare;
const hasDisposition = fill.callDisposition / callShare;

function subjectOf(is: Activity, type: string, draw: Random, to: References): string {
  if (!draw.chance(fill.subject)) return '';
  if (is === 'call') return draw.weighted(callSubjects) || `Call with ${to.personName} about ${draw.pick(callTopics)}`;
  if (is === 'email') return `Email: ${draw.pick(emailTopics)}`;
  if (is === 'message') return `SMS ${type === 'Incoming SMS' ? 'from' : 'to'} ${to.personName}`;
  return `${draw.pick(todoTopics)}${draw.chance(0.4) ? ` - ${to.companyName}` : ''}`;
}

function bodyOf(is: Activity, subject: string, draw: Random, to: References): string {
  if (!draw.chance(fill.description)) return '';
  const text = someSentences(draw);
  if (is === 'email') {
    const head = `To: ${to.email}\nCC: \nBCC: \nAttachment: ${draw.chance(0.3) ? 'Proposal.pdf' : ''}\n\nSubject: ${subject.replace('Email: ', '')}\nBody:`;
    return `${head}\nHello ${to.personName},\n\n${text.join('\n\n')}\n\nBest regards`;
  }
  if (is === 'message') return text[0] as string;
  return is === 'call' ? text.join('\n') : text.map((line) => `- ${line}`).join('\n');
}

export function taskRow(of: World, index: number): Cells {
  const draw = randomOf(of, 'Task', index);
  const { is, type, subtype } = draw.weighted(taskShapes);
  const isCall = is === 'call';
  const to = references(of, draw, {
    whatId: fill.whatId,
    whoId: isCall ? WHO_OF_CALLS : whoOfOthers,
    accountId: accountShare,
  });
  const created = workingTime(of.until - 2 * DAY - ageOf(index, of.sizes.Task), draw);
  const completed = draw.chance(fill.completedAt) ? created + draw.below(isCall ? 3600 : 86_400) * 1000 : null;
  const modified = stamp((completed ?? created) + draw.below(3600) * 1000);
  const due = draw.chance(fill.activityDate) ? dateOf(completed ?? created + (draw.below(75) - 5) * DAY) : '';
  const subject = subjectOf(is, type, draw, to);
  const missed = subject.startsWith('missed');
  const outbound = /inbound/i.test(subject)
    ? 'Inbound'
    : /outbound/i.test(subject) || draw.chance(0.75)
      ? 'Outbound'
      : 'Inbound';
  const seconds = isCall && draw.chance(missed ? 0 : hasDuration * 1.1) ? String(callSeconds(draw.next())) : '';
  const reminder = draw.chance(fill.reminder);
  return [
    ...[
      demoId('Task', index),
      to.whoId,
      to.whatId,
      subject,
      due,
      completed === null ? draw.weighted(open) : 'Completed',
      draw.weighted(priorities),
    ],
    ...[
      to.ownerId,
      bodyOf(is, subject, draw, to),
      'false',
      to.accountId,
      completed === null ? 'false' : 'true',
      stamp(created),
      to.ownerId,
    ],
    ...[modified, modified, 'false', seconds, isCall && draw.chance(hasCallType) ? outbound : ''],
    ...[
      isCall && draw.chance(hasDisposition) ? draw.pick(dispositions) : '',
      reminder ? stamp(created + DAY) : '',
      String(reminder),
    ],
    ...[subtype, type, completed === null ? '' : stamp(completed)],
  ];
}
