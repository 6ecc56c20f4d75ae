/** The objects of Salesforce that can be imported, and those that are known and skipped. Key prefixes: Salesforce's object reference. */
import type { RelatedRecordType } from '#shared/events/related-record.ts';

const activityObjects = ['Task', 'Event'] as const;
export type ActivityObject = (typeof activityObjects)[number];

export const relatedObjects = {
  User: 'user',
  Contact: 'contact',
  Lead: 'lead',
  Account: 'account',
  Opportunity: 'opportunity',
  Case: 'case',
  Campaign: 'campaign',
} as const satisfies Record<string, RelatedRecordType>;
export type RelatedObject = keyof typeof relatedObjects;

type SalesforceObject = ActivityObject | RelatedObject;
export const salesforceObjects: readonly SalesforceObject[] = [
  ...activityObjects,
  ...(Object.keys(relatedObjects) as RelatedObject[]),
];

/** Known, and no activity and no related record. An e-mail is both an EmailMessage and a Task: it is counted once, as the Task. */
export const skippedObjects: Readonly<Record<string, string>> = {
  EmailMessage: 'an e-mail is also a Task, and is imported as that Task',
  CampaignMember: 'it is neither an activity nor a record that activities refer to',
};

const prefixes: Readonly<Record<string, string>> = {
  '001': 'Account',
  '003': 'Contact',
  '00Q': 'Lead',
  '005': 'User',
  '006': 'Opportunity',
  '00T': 'Task',
  '00U': 'Event',
  '500': 'Case',
  '701': 'Campaign',
  '02s': 'EmailMessage',
  '00v': 'CampaignMember',
};

/** The object that the first three characters of an id name; null where we do not know the prefix. */
export const objectOfId = (id: string): string | null => prefixes[id.slice(0, 3)] ?? null;

/** The object as we write it, for a name in any case; null for a name we do not know. Skipped objects are known. */
export function knownObject(name: string): string | null {
  const wanted = name.trim().toLowerCase();
  return [...salesforceObjects, ...Object.keys(skippedObjects)].find((each) => each.toLowerCase() === wanted) ?? null;
}

export const isActivityObject = (object: string): object is ActivityObject =>
  (activityObjects as readonly string[]).includes(object);
export const isRelatedObject = (object: string): object is RelatedObject => Object.hasOwn(relatedObjects, object);
