/** Whom and what a demo activity is about, and whose it is. */
import type { Random } from './random.ts';
import {
  accountOfCase,
  accountOfOpportunity,
  company,
  contactOfAccount,
  demoId,
  ownerOfAccount,
  person,
  type World,
} from './world.ts';

export interface References {
  readonly whoId: string;
  readonly whatId: string;
  readonly accountId: string;
  readonly ownerId: string;
  /** For texts; a person of that account even where WhoId is empty, as in real orgs. */
  readonly personName: string;
  readonly email: string;
  readonly companyName: string;
}

export interface Shares {
  readonly whatId: number;
  readonly whoId: number;
  /** Among those that have an account at all. */
  readonly accountId: number;
}

/** A few records get most of the work: the square of a draw favours the first. */
const favoured = (draw: Random, n: number): number => Math.floor(draw.next() ** 2 * n);

const whats = [
  ['Opportunity', 0.45],
  ['Account', 0.25],
  ['Case', 0.2],
  ['Campaign', 0.1],
] as const;

export function references(of: World, draw: Random, shares: Shares): References {
  const { sizes } = of;
  const what = draw.chance(shares.whatId) ? draw.weighted(whats) : null;
  const hasWho = draw.chance(shares.whoId);
  // Salesforce lets a lead stand only where there is no WhatId.
  const lead = what === null && hasWho && draw.chance(0.6) ? favoured(draw, sizes.Lead) : null;
  const at = what === null ? 0 : favoured(draw, sizes[what]);
  const account =
    what === 'Opportunity'
      ? accountOfOpportunity(of, at)
      : what === 'Case'
        ? accountOfCase(of, at)
        : what === 'Account'
          ? at
          : favoured(draw, sizes.Account);
  const contact = contactOfAccount(of, account, draw.below(3) as 0 | 1 | 2);
  const who = lead === null ? person(of, 'Contact', contact) : person(of, 'Lead', lead);
  const whoId = !hasWho ? '' : lead === null ? demoId('Contact', contact) : demoId('Lead', lead);
  const linked = lead === null && ((what !== null && what !== 'Campaign') || hasWho);
  return {
    whoId,
    whatId: what === null ? '' : demoId(what, at),
    accountId: linked && draw.chance(shares.accountId) ? demoId('Account', account) : '',
    ownerId: demoId('User', draw.chance(0.8) ? ownerOfAccount(of, account) : draw.below(sizes.User)),
    personName: who.name,
    email: who.email,
    companyName: company(of, lead === null ? account : sizes.Account + lead),
  };
}
