/** The rows of demo Events: meetings, some of a whole day, some still to come. */
import type { Cells } from './csv-text.ts';
import { references } from './references.ts';
import { someSentences } from './some-sentences.ts';
import { meetingTopics, places } from './words.ts';
import { ageOf, DAY, dateOf, demoId, randomOf, stamp, type World, workingTime } from './world.ts';

export const eventHeader: Cells = [
  ...[
    'Id',
    'WhoId',
    'WhatId',
    'Subject',
    'Location',
    'IsAllDayEvent',
    'ActivityDate',
    'StartDateTime',
    'EndDateTime',
    'DurationInMinutes',
  ],
  ...[
    'Description',
    'AccountId',
    'OwnerId',
    'Type',
    'IsPrivate',
    'IsChild',
    'GroupEventType',
    'EventSubtype',
    'IsDeleted',
  ],
  ...['CreatedDate', 'LastModifiedDate', 'SystemModstamp'],
];

const minutes = [
  [30, 0.45],
  [60, 0.35],
  [45, 0.1],
  [90, 0.07],
  [180, 0.03],
] as const;

export function eventRow(of: World, index: number): Cells {
  const draw = randomOf(of, 'Event', index);
  const to = references(of, draw, { whatId: 0.8, whoId: 0.6, accountId: 0.6 });
  const created = workingTime(of.until - 2 * DAY - ageOf(index, of.sizes.Event), draw);
  const allDay = draw.chance(0.04);
  // Planned up to 40 days ahead, so that the last ones are yet to come.
  const planned = workingTime(created + (1 + draw.below(40)) * DAY, draw);
  const start = allDay ? Math.floor(planned / DAY) * DAY : Math.floor(planned / 900_000) * 900_000;
  const length = allDay ? 1440 : draw.weighted(minutes);
  const text = draw.chance(0.7) ? someSentences(draw).join('\n') : '';
  const modified = stamp(created + draw.below(86_400) * 1000);
  return [
    ...[
      demoId('Event', index),
      to.whoId,
      to.whatId,
      `${draw.pick(meetingTopics)} with ${to.companyName}`,
      draw.pick(places),
      String(allDay),
    ],
    ...[
      dateOf(start),
      stamp(start),
      stamp(start + length * 60_000),
      String(length),
      text,
      to.accountId,
      to.ownerId,
      draw.chance(0.3) ? 'Meeting' : '',
    ],
    ...[String(draw.chance(0.01)), 'false', '0', 'Event', 'false', stamp(created), modified, modified],
  ];
}
