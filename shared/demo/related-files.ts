/** The rows of the records that demo activities refer to. */
import type { Cells } from './csv-text.ts';
import { campaignTopics, caseTopics, companyTrades, products } from './words.ts';
import {
  accountOfCase,
  accountOfContact,
  accountOfOpportunity,
  company,
  contactOfAccount,
  DAY,
  dateOf,
  demoId,
  ownerOfAccount,
  person,
  randomOf,
  SPAN,
  stamp,
  type World,
  workingTime,
} from './world.ts';

export type RelatedDemoObject = 'User' | 'Account' | 'Contact' | 'Lead' | 'Opportunity' | 'Case' | 'Campaign';

interface Table {
  readonly header: Cells;
  readonly row: (of: World, index: number) => Cells;
}

const stamps = ['CreatedDate', 'LastModifiedDate', 'SystemModstamp', 'IsDeleted'];

/** Created in the half year before the first activity, changed at some time since. */
function stampCells(of: World, object: RelatedDemoObject, index: number): Cells {
  const draw = randomOf(of, object, index + 2 ** 30);
  const created = workingTime(of.until - SPAN - 2 * DAY - draw.below(180) * DAY, draw);
  const modified = workingTime(created + (of.until - DAY - created) * draw.next(), draw);
  const last = stamp(Math.max(created, modified));
  return [stamp(created), last, last, 'false'];
}

export const relatedTables: Readonly<Record<RelatedDemoObject, Table>> = {
  User: {
    header: ['Id', 'Name', 'Email', 'Username', 'ManagerId', 'UserRoleId', 'IsActive', ...stamps],
    row: (of, i) => {
      const { name, email } = person(of, 'User', i);
      const manager = i === 0 ? '' : demoId('User', Math.floor((i - 1) / 8));
      return [
        demoId('User', i),
        name,
        email,
        email,
        manager,
        demoId('Role', i % of.sizes.Role),
        'true',
        ...stampCells(of, 'User', i),
      ];
    },
  },
  Account: {
    header: ['Id', 'Name', 'ParentId', 'Industry', 'BillingCity', 'OwnerId', ...stamps],
    row: (of, i) => {
      const draw = randomOf(of, 'Account', i + 2 ** 29);
      const parent = i > 0 && draw.chance(0.05) ? demoId('Account', draw.below(i)) : '';
      return [
        demoId('Account', i),
        company(of, i),
        parent,
        draw.pick(companyTrades),
        '',
        demoId('User', ownerOfAccount(of, i)),
        ...stampCells(of, 'Account', i),
      ];
    },
  },
  Contact: {
    header: ['Id', 'AccountId', 'FirstName', 'LastName', 'Name', 'Email', 'ReportsToId', ...stamps],
    row: (of, i) => {
      const { first, last, name, email } = person(of, 'Contact', i);
      return [
        demoId('Contact', i),
        demoId('Account', accountOfContact(of, i)),
        first,
        last,
        name,
        email,
        '',
        ...stampCells(of, 'Contact', i),
      ];
    },
  },
  Lead: {
    header: ['Id', 'FirstName', 'LastName', 'Name', 'Company', 'Email', 'Status', 'IsConverted', ...stamps],
    row: (of, i) => {
      const { first, last, name, email } = person(of, 'Lead', i);
      const status = randomOf(of, 'Lead', i + 2 ** 29).pick(['New', 'Working', 'Qualified', 'Not interested']);
      return [
        demoId('Lead', i),
        first,
        last,
        name,
        company(of, of.sizes.Account + i),
        email,
        status,
        'false',
        ...stampCells(of, 'Lead', i),
      ];
    },
  },
  Opportunity: {
    header: ['Id', 'AccountId', 'Name', 'StageName', 'Amount', 'CloseDate', 'OwnerId', ...stamps],
    row: (of, i) => {
      const draw = randomOf(of, 'Opportunity', i);
      const account = accountOfOpportunity(of, i);
      const stage = draw.pick([
        'Qualification',
        'Needs analysis',
        'Proposal',
        'Negotiation',
        'Closed Won',
        'Closed Lost',
      ]);
      const closes = dateOf(of.until + (draw.below(400) - 300) * DAY);
      const name = `${company(of, account)} - ${draw.pick(products)}`;
      const owner = demoId('User', ownerOfAccount(of, account));
      return [
        demoId('Opportunity', i),
        demoId('Account', account),
        name,
        stage,
        String(500 + draw.below(80_000)),
        closes,
        owner,
        ...stampCells(of, 'Opportunity', i),
      ];
    },
  },
  Case: {
    header: ['Id', 'CaseNumber', 'Subject', 'AccountId', 'ContactId', 'Status', 'Origin', ...stamps],
    row: (of, i) => {
      const draw = randomOf(of, 'Case', i);
      const account = accountOfCase(of, i);
      const contact = demoId('Contact', contactOfAccount(of, account, 0));
      const number = String(1000 + i).padStart(8, '0');
      const status = draw.pick(['New', 'Working', 'Escalated', 'Closed']);
      return [
        demoId('Case', i),
        number,
        draw.pick(caseTopics),
        demoId('Account', account),
        contact,
        status,
        draw.pick(['Email', 'Phone', 'Web']),
        ...stampCells(of, 'Case', i),
      ];
    },
  },
  Campaign: {
    header: ['Id', 'Name', 'Type', 'Status', 'StartDate', 'NumberSent', ...stamps],
    row: (of, i) => {
      const draw = randomOf(of, 'Campaign', i);
      const start = of.until - draw.below(700) * DAY;
      const name = `${draw.pick(campaignTopics)} ${dateOf(start).slice(0, 7)}`;
      return [
        demoId('Campaign', i),
        name,
        draw.pick(['Email', 'Event', 'Webinar']),
        'Completed',
        dateOf(start),
        String(draw.below(5000)),
        ...stampCells(of, 'Campaign', i),
      ];
    },
  },
};
