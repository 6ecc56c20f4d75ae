/**
 * Random source data from a seed: Salesforce rows and NDJSON lines of one tenant, with everything that real data has
 * and tests forget: the same record several times, older than before, deleted and back, referring to what is not there,
 * and text that breaks naive code.
 */
import { type Random, random } from '#shared/demo/random.ts';
import { salesforceId } from '#shared/source-records/salesforce-id.ts';

/** Stand only as whole words between spaces, so that a naive search finds what a real one finds. */
export const searchWords = ['walnut', 'zebra', 'quantum', 'lighthouse', 'marmalade'] as const;

const awkward = [
  'a\u0000b',
  '\u0000',
  '=HYPERLINK("http://x")',
  "'; drop table activities; --",
  'quote " and \\ backslash',
  'lines\r\nand\nmore\ttabs',
  'emoji 👩‍👩‍👧 and 한국어',
  '\u202ertl\u202c \ufeffbom',
  '{"json": [1, 2]}',
  '\\u0000 spelled out',
  '%s $1 :name ?',
  'x'.repeat(3_000),
] as const;

const id = (prefix: string, index: number): string =>
  salesforceId(`${prefix}E20${String(index).padStart(9, '0')}`) as string;

export const ids = {
  task: (index: number) => id('00T', index),
  event: (index: number) => id('00U', index),
  user: (index: number) => id('005', index),
  account: (index: number) => id('001', index),
  contact: (index: number) => id('003', index),
  lead: (index: number) => id('00Q', index),
  opportunity: (index: number) => id('006', index),
  case: (index: number) => id('500', index),
} as const;

/** How many of each there are to refer to; fewer than are referred to are ever imported. */
export const references = { user: 5, account: 8, contact: 12, lead: 5, opportunity: 8, case: 6 } as const;

export interface SourceData {
  readonly draw: Random;
  task(index: number, pace: number): Record<string, string>;
  event(index: number, pace: number): Record<string, string>;
  line(index: number, pace: number): object;
  related(object: RelatedObject, index: number, pace: number): Record<string, string>;
}

export type RelatedObject = 'User' | 'Account' | 'Contact' | 'Lead' | 'Opportunity' | 'Case';

export function sourceData(...seed: readonly number[]): SourceData {
  const draw = random(...seed);
  const maybe = <T>(probability: number, value: () => T): T | '' => (draw.chance(probability) ? value() : '');
  const base = Date.parse('2026-01-01T00:00:00.000Z');
  const time = (hours: number) => new Date(base + hours * 3_600_000).toISOString();
  const someTime = () => time(draw.below(4_000) / 2);
  const date = () => someTime().slice(0, 10);
  /** Mostly newer than at lower paces, sometimes older, sometimes the same, now and then none. */
  const stamp = (pace: number) =>
    draw.chance(0.04) ? '' : time(pace * 10 + (draw.chance(0.2) ? -draw.below(40) : draw.below(8)));
  const text = () =>
    draw.chance(0.15)
      ? draw.pick(awkward)
      : Array.from({ length: 1 + draw.below(5) }, () =>
          draw.chance(0.3) ? draw.pick(searchWords) : draw.pick(['Call', 'about', 'the', 'offer', 'Renewal', 'Ärger']),
        ).join(' ');
  const ref = (what: keyof typeof references) => ids[what](draw.below(references[what]));
  const what = () => draw.pick([() => ref('account'), () => ref('opportunity'), () => ref('case')])();
  const who = () => (draw.chance(0.7) ? ref('contact') : ref('lead'));

  const common = (pace: number) => ({
    WhoId: maybe(0.6, who),
    WhatId: maybe(0.6, what),
    Subject: maybe(0.9, text),
    ActivityDate: maybe(0.7, date),
    OwnerId: maybe(0.9, () => ref('user')),
    'Owner.Name': maybe(0.3, text),
    Description: maybe(0.6, text),
    IsDeleted: String(draw.chance(0.12)),
    AccountId: maybe(0.2, () => ref('account')),
    Type: maybe(0.3, () => draw.pick(['Call', 'Email', 'Meeting', 'Other', 'Outgoing SMS'])),
    CreatedDate: maybe(0.9, someTime),
    SystemModstamp: stamp(pace),
    Custom__c: maybe(0.4, text),
  });

  return {
    draw,
    task: (index, pace) => ({
      Id: ids.task(index),
      ...common(pace),
      Status: maybe(0.9, () => draw.pick(['Not Started', 'In Progress', 'Completed'])),
      Priority: maybe(0.8, () => draw.pick(['High', 'Normal', 'Low'])),
      IsClosed: maybe(0.5, () => String(draw.chance(0.5))),
      CallDurationInSeconds: draw.chance(0.05) ? 'soon' : maybe(0.4, () => String(draw.below(400))),
      CallType: maybe(0.3, () => draw.pick(['Inbound', 'Outbound', 'Internal'])),
      CallDisposition: maybe(0.2, () => draw.pick(['Answered', 'No Answer', 'Busy'])),
      TaskSubtype: maybe(0.4, () => draw.pick(['Call', 'Email', 'Task'])),
      CompletedDateTime: maybe(0.5, someTime),
    }),
    event: (index, pace) => {
      const start = someTime();
      return {
        Id: ids.event(index),
        ...common(pace),
        StartDateTime: start,
        EndDateTime: new Date(Date.parse(start) + draw.below(8) * 900_000).toISOString(),
        IsAllDayEvent: String(draw.chance(0.1)),
        IsChild: String(draw.chance(0.05)),
        IsPrivate: String(draw.chance(0.1)),
      };
    },
    line: (index, pace) => ({
      id: `call-${index}`,
      ...(draw.chance(0.8) ? { kind: draw.pick(['call', 'email', 'meeting', 'task', 'note', null]) } : {}),
      ...(draw.chance(0.9) ? { subject: draw.chance(0.1) ? null : text() } : {}),
      ...(draw.chance(0.5) ? { body: text() } : {}),
      ...(draw.chance(0.6) ? { occurredAt: someTime() } : {}),
      ...(draw.chance(0.4) ? { direction: draw.pick(['inbound', 'outbound', null]) } : {}),
      ...(draw.chance(0.4) ? { outcome: text().slice(0, 200) } : {}),
      ...(draw.chance(0.5) ? { owner: { id: `u${draw.below(3)}`, name: text().slice(0, 200) } } : {}),
      ...(draw.chance(0.5) ? { account: draw.chance(0.2) ? null : { id: `a${draw.below(4)}` } } : {}),
      ...(draw.chance(0.4) ? { who: { id: `c${draw.below(4)}`, name: text().slice(0, 200) } } : {}),
      ...(draw.chance(0.3) ? { durationSeconds: draw.below(1_000) } : {}),
      ...(draw.chance(0.1) ? { deleted: true } : {}),
      ...(draw.chance(0.05) ? { misspelt: 1 } : {}),
      ...(draw.chance(0.3) ? { extra: { score: draw.below(10), note: text() } } : {}),
      ...(draw.chance(0.9) ? { modifiedAt: stamp(pace) || null } : {}),
    }),
    related: (object, index, pace) => ({
      Id: ids[object.toLowerCase() as Lowercase<RelatedObject>](index),
      ...(object === 'Case'
        ? { CaseNumber: String(index), Subject: text(), ContactId: maybe(0.5, () => ref('contact')) }
        : { Name: maybe(0.95, text) }),
      ...(object === 'Contact' || object === 'Opportunity' || object === 'Case'
        ? { AccountId: maybe(0.8, () => ref('account')) }
        : {}),
      ...(object === 'Account' ? { ParentId: maybe(0.2, () => ref('account')) } : {}),
      ...(object === 'User' ? { Email: `u${index}@example.com`, ManagerId: maybe(0.5, () => ref('user')) } : {}),
      IsDeleted: String(draw.chance(0.08)),
      SystemModstamp: stamp(pace),
    }),
  };
}
