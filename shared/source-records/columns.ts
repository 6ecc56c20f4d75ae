/**
 * Which column of a Salesforce file holds what. A column is known by its API name, by the label that standard reports
 * give it, or by the path that a query gives it (`Owner.Name`); upper and lower case, spaces and punctuation do not
 * matter. Where two columns of a file fit, the name that stands first in the list wins.
 */
import type { RelatedObject } from './salesforce-object.ts';

/** The underscore stays: `Type__c` is not `Type`. */
export const columnKey = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}_]/gu, '');

export type Names = Readonly<Record<string, readonly string[]>>;

const common = {
  sourceModifiedAt: ['SystemModstamp', 'LastModifiedDate', 'Last Modified', 'Last Modified Date/Time'],
  deleted: ['IsDeleted', 'Deleted'],
} as const satisfies Names;

export const activityColumns = {
  ...common,
  id: ['Id', 'Activity ID', 'Task ID', 'Event ID'],
  type: ['Type', 'Activity Type', 'Task Type', 'Event Type'],
  callType: ['CallType', 'Call Type'],
  callDisposition: ['CallDisposition', 'Call Result', 'Call Disposition'],
  status: ['Status', 'Activity Status', 'Task Status'],
  closed: ['IsClosed', 'Closed'],
  priority: ['Priority'],
  completedAt: ['CompletedDateTime', 'Completed Date', 'Completed Date/Time'],
  createdAt: ['CreatedDate', 'Created Date', 'Created Date/Time', 'Date Created'],
  dueOn: ['ActivityDate', 'Due Date', 'Due Date Only', 'Date'],
  ownerId: ['OwnerId', 'Assigned ID', 'Assigned To ID', 'Owner ID'],
  accountId: ['AccountId', 'Account ID', 'Company / Account ID'],
  whoId: ['WhoId', 'Name ID', 'Contact ID', 'Lead ID', 'Contact/Lead ID'],
  whatId: ['WhatId', 'Related To ID', 'Opportunity ID', 'Case ID'],
  subject: ['Subject'],
  body: ['Description', 'Full Comments', 'Comments'],
} as const satisfies Names;

export const taskColumns = {
  ...activityColumns,
  subtype: ['TaskSubtype', 'Task Subtype'],
  durationSeconds: ['CallDurationInSeconds', 'Call Duration (seconds)', 'Call Duration'],
} as const satisfies Names;

export const eventColumns = {
  ...activityColumns,
  subtype: ['EventSubtype', 'Event Subtype'],
  startsAt: ['StartDateTime', 'Start Date Time', 'Start'],
  allDay: ['IsAllDayEvent', 'All-Day Event', 'All Day'],
  activityDateTime: ['ActivityDateTime', 'Due Date Time'],
  endsAt: ['EndDateTime', 'End Date Time', 'End'],
  durationMinutes: ['DurationInMinutes', 'Duration (Minutes)', 'Duration'],
  isChild: ['IsChild'],
  groupEventType: ['GroupEventType'],
  isPrivate: ['IsPrivate', 'Private'],
} as const satisfies Names;

const person = {
  name: ['Name', 'Full Name'],
  firstName: ['FirstName', 'First Name'],
  lastName: ['LastName', 'Last Name'],
  email: ['Email'],
};

/** Identity, name and links; nothing else of a related record is read. */
export const relatedColumns: Readonly<Record<RelatedObject, Names>> = {
  User: {
    ...common,
    id: ['Id', 'User ID'],
    ...person,
    managerId: ['ManagerId', 'Manager ID'],
    teamId: ['UserRoleId', 'Role ID'],
  },
  Contact: { ...common, id: ['Id', 'Contact ID'], ...person, accountId: ['AccountId', 'Account ID'] },
  Lead: { ...common, id: ['Id', 'Lead ID'], ...person },
  Account: {
    ...common,
    id: ['Id', 'Account ID'],
    name: ['Name', 'Account Name'],
    accountId: ['ParentId', 'Parent Account ID'],
  },
  Opportunity: {
    ...common,
    id: ['Id', 'Opportunity ID'],
    name: ['Name', 'Opportunity Name'],
    accountId: ['AccountId', 'Account ID'],
  },
  Case: {
    ...common,
    id: ['Id', 'Case ID'],
    caseNumber: ['CaseNumber', 'Case Number'],
    subject: ['Subject'],
    accountId: ['AccountId', 'Account ID'],
    contactId: ['ContactId', 'Contact ID'],
  },
  Campaign: { ...common, id: ['Id', 'Campaign ID'], name: ['Name', 'Campaign Name'] },
};

/** Columns that hold a name, by the role it belongs to. Several columns may serve one role: a report has Contact and Lead. */
export const nameColumns = {
  owner: ['Owner.Name', 'Assigned', 'Assigned To', 'Owner', 'Owner Name'],
  who: ['Who.Name', 'Name', 'Contact', 'Contact Name', 'Lead', 'Lead Name'],
  what: ['What.Name', 'Related To', 'Opportunity', 'Opportunity Name', 'Case'],
  account: ['Account.Name', 'Company / Account', 'Account', 'Account Name'],
} as const satisfies Names;

/**
 * Columns that are not kept as extra fields: they change without meaning anything (a view moves LastViewedDate), say
 * again what another column says, or are technical.
 */
const ignoredColumns: ReadonlySet<string> = new Set(
  [
    ...[
      'LastModifiedDate',
      'LastModifiedById',
      'LastModifiedBy',
      'SystemModstamp',
      'CreatedById',
      'CreatedBy',
      'CreatedDate',
    ],
    ...['LastViewedDate', 'LastReferencedDate', 'IsArchived', 'IsHighPriority', 'WhoCount', 'WhatCount', 'attributes'],
    ...[
      'ReminderDateTime',
      'IsReminderSet',
      'IsRecurrence',
      'IsRecurrence2',
      'IsRecurrence2Exclusion',
      'IsRecurrence2Exception',
    ],
    ...['IsGroupEvent', 'EndDate', 'StartDate', 'EventEndDate', '__proto__'],
  ].map(columnKey),
);
export const isIgnoredColumn = (name: string): boolean => {
  const key = columnKey(name);
  return key === '' || ignoredColumns.has(key) || key.startsWith('recurrence');
};
