/**
 * The records that demo activities refer to, each a function of the seed and its index. An opportunity of an account,
 * the contact of a case: all follow from indices, so that a million tasks refer to records that nobody keeps in memory.
 */
import { salesforceId } from '#shared/source-records/salesforce-id.ts';
import { eventShare } from './figures.ts';
import { mix, type Random, random } from './random.ts';
import { companyForms, companyNames, companyTrades, firstNames, lastNames } from './words.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
export const prefixes = {
  User: '005',
  Account: '001',
  Contact: '003',
  Lead: '00Q',
  Opportunity: '006',
  Case: '500',
  Campaign: '701',
  Task: '00T',
  Event: '00U',
  Role: '00E',
} as const;
type WorldObject = keyof typeof prefixes;

/** `Dm` stands where Salesforce names the instance: demo ids meet no real ones. */
export function demoId(object: WorldObject, index: number): string {
  let number = '';
  for (let left = index + 1; number.length < 9; left = Math.floor(left / 62))
    number = DIGITS.charAt(left % 62) + number;
  return salesforceId(`${prefixes[object]}Dm0${number}`) as string;
}

export interface World {
  readonly seed: number;
  /** Milliseconds; nothing has happened after it. */
  readonly until: number;
  readonly sizes: Readonly<Record<WorldObject, number>>;
}

export const DAY = 86_400_000;
/** How far back activities reach. */
export const SPAN = 730 * DAY;

const within = (low: number, value: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

export function world(activities: number, seed: number, until: number): World {
  const events = Math.round(activities * eventShare);
  const accounts = within(12, activities / 40, 200_000);
  return {
    seed,
    until,
    sizes: {
      User: within(8, activities / 1500, 1000),
      Role: 6,
      Account: accounts,
      Contact: accounts * 3,
      Lead: within(10, activities / 60, 150_000),
      Opportunity: Math.round(accounts * 1.5),
      Case: Math.round(accounts * 0.6),
      Campaign: within(4, activities / 5000, 100),
      Task: activities - events,
      Event: events,
    },
  };
}

/** A generator for one record. The object's name is mixed in by its prefix. */
export const randomOf = ({ seed }: World, object: WorldObject, index: number): Random =>
  random(
    seed,
    [...prefixes[object]].reduce((sum, char) => sum * 128 + char.charCodeAt(0), 0),
    index,
  );

interface Person {
  readonly first: string;
  readonly last: string;
  readonly name: string;
  readonly email: string;
}

/** Addresses end in example.com, which belongs to nobody. */
export function person(of: World, object: 'User' | 'Contact' | 'Lead', index: number): Person {
  const draw = randomOf(of, object, index);
  const [first, last] = [draw.pick(firstNames), draw.pick(lastNames)];
  const plain = `${first}.${last}`
    .normalize('NFD')
    .replace(/[^a-zA-Z.]/g, '')
    .toLowerCase();
  return { first, last, name: `${first} ${last}`, email: `${plain}.${index + 1}@example.com` };
}

export function company(of: World, index: number): string {
  const draw = randomOf(of, 'Account', index);
  return `${draw.pick(companyNames)} ${draw.pick(companyTrades)} ${draw.pick(companyForms)}`;
}

/** Contacts of account a are a, a + accounts and a + 2 accounts. */
export const accountOfContact = ({ sizes }: World, contact: number): number => contact % sizes.Account;
export const contactOfAccount = ({ sizes }: World, account: number, which: 0 | 1 | 2): number =>
  account + which * sizes.Account;
export const accountOfOpportunity = ({ sizes, seed }: World, opportunity: number): number =>
  mix(seed, 6, opportunity) % sizes.Account;
export const accountOfCase = ({ sizes, seed }: World, index: number): number => mix(seed, 500, index) % sizes.Account;
export const ownerOfAccount = ({ sizes, seed }: World, account: number): number => mix(seed, 1, account) % sizes.User;

/** How long before the end record i of n was written: the later, the denser, as in a team that grows. */
export function ageOf(index: number, count: number): number {
  const left = 1 - (index + 0.5) / count;
  return left * (0.6 + 0.4 * left) * SPAN;
}

/** As REST writes it. */
export const stamp = (time: number): string => `${new Date(time).toISOString().slice(0, 23)}+0000`;
export const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** A working minute, 8:00 to 17:59 UTC on Monday to Friday, on or before the day of `time`. */
export function workingTime(time: number, draw: Random): number {
  const day = Math.floor(time / DAY);
  // 1970-01-01 was a Thursday: day 0 is weekday 4.
  const weekday = (day + 4) % 7;
  const back = weekday === 0 ? 2 : weekday === 6 ? 1 : 0;
  return (day - back) * DAY + (8 * 60 + draw.below(600)) * 60_000 + draw.below(60) * 1000;
}
