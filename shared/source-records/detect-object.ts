/** Which object a CSV file holds: what the caller says, else the columns, else the ids. A file's name is never trusted. */
import { columnKey } from './columns.ts';
import { salesforceId } from './salesforce-id.ts';
import { knownObject, objectOfId, salesforceObjects, skippedObjects } from './salesforce-object.ts';

export interface DetectInput {
  /** For messages only. */
  readonly fileName?: string | undefined;
  readonly header: readonly string[];
  /** Ids of the first rows. */
  readonly firstIds: readonly string[];
  /** What the caller said, with --object. */
  readonly given?: string | undefined;
}

export type DetectedObject =
  | { readonly outcome: 'object'; readonly object: string }
  | { readonly outcome: 'skipped'; readonly object: string; readonly reason: string }
  | { readonly outcome: 'ambiguous'; readonly reason: string };

/** Columns that only this object has. Any one of them decides; labels of reports stand beside API names. */
const signatures: Readonly<Record<string, readonly string[]>> = {
  Task: [
    'TaskSubtype',
    'Task Subtype',
    'CallDurationInSeconds',
    'Call Duration (seconds)',
    'CallDisposition',
    'RecurrenceRegeneratedType',
  ],
  Event: ['StartDateTime', 'EndDateTime', 'DurationInMinutes', 'IsAllDayEvent', 'EventSubtype', 'GroupEventType'],
  EmailMessage: ['MessageDate', 'TextBody', 'HtmlBody', 'FromAddress'],
  CampaignMember: ['LeadOrContactId', 'LeadOrContactOwnerId', 'FirstRespondedDate', 'CompanyOrAccount'],
  User: ['Username', 'UserRoleId', 'ProfileId', 'FederationIdentifier'],
  Case: ['CaseNumber', 'Case Number', 'IsClosedOnCreate', 'SuppliedEmail'],
  Opportunity: ['StageName', 'ForecastCategory', 'ForecastCategoryName', 'HasOpportunityLineItem'],
  Campaign: ['NumberOfLeads', 'NumberOfContacts', 'NumberSent', 'BudgetedCost', 'NumberOfResponses'],
  Lead: ['IsConverted', 'ConvertedDate', 'ConvertedAccountId', 'ConvertedContactId'],
  Contact: ['ReportsToId', 'MailingCity', 'MailingStreet', 'AssistantName', 'LastCURequestDate'],
  Account: ['BillingCity', 'BillingStreet', 'ShippingCity', 'TickerSymbol', 'NumberOfLocations', 'AccountSource'],
};

const howToSay = `say which it is with --object, one of ${salesforceObjects.join(', ')}`;

function named(object: string): DetectedObject {
  const reason = skippedObjects[object];
  return reason === undefined
    ? { outcome: 'object', object }
    : { outcome: 'skipped', object, reason: `${object} is not imported: ${reason}` };
}

export function detectObject({ fileName, header, firstIds, given }: DetectInput): DetectedObject {
  const file = fileName ?? 'the file';
  if (given !== undefined) {
    const object = knownObject(given);
    return object === null
      ? { outcome: 'ambiguous', reason: `There is no object "${given}" to import; ${howToSay}.` }
      : named(object);
  }

  const keys = new Set(header.map(columnKey));
  const byColumns = Object.keys(signatures).filter((object) =>
    signatures[object]?.some((name) => keys.has(columnKey(name))),
  );
  const byIds = new Set(
    firstIds.flatMap((id) =>
      salesforceId(id) === null ? [] : [objectOfId(id) ?? `an object with the prefix ${id.slice(0, 3)}`],
    ),
  );
  const [column, ...moreColumns] = byColumns;
  const [id, ...moreIds] = byIds;

  if (column && moreColumns.length === 0) {
    if (id === undefined || byIds.has(column)) return named(column);
    return {
      outcome: 'ambiguous',
      reason: `The columns of ${file} are those of ${column}, but the ids are of ${[...byIds].join(' and ')}; ${howToSay}.`,
    };
  }
  if (id && moreIds.length === 0 && knownObject(id)) return named(id);
  const seen =
    moreIds.length > 0 ? `the ids are of ${[...byIds].join(' and ')}` : 'neither the columns nor the ids tell';
  const each = moreIds.length > 0 ? ' Import it once for each object: the records of the other are rejected.' : '';
  return { outcome: 'ambiguous', reason: `It is not clear which object ${file} holds, ${seen}; ${howToSay}.${each}` };
}
