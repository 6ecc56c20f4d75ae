/**
 * Events of a related record: a CRM record that activities refer to; its name and the links needed for roll-ups.
 * As with activities, every event carries the full snapshot, and these names are the storage format.
 */
import { z } from 'zod';

export const relatedRecordType = z.enum(['user', 'contact', 'lead', 'account', 'opportunity', 'case', 'campaign']);

/** Ids, in the source, of what a record rolls up to. */
export const relatedRecordLinks = z.object({
  accountId: z.string().nullable().describe("a contact's, opportunity's or case's account; an account's parent"),
  contactId: z.string().nullable().describe("a case's contact"),
  managerId: z.string().nullable().describe("a user's manager"),
  teamId: z.string().nullable().describe("a user's team (role)"),
});

export const relatedRecordSnapshot = z.object({
  source: z.string(),
  sourceId: z.string(),
  sourceModifiedAt: z.iso.datetime({ precision: 3 }).nullable(),
  type: relatedRecordType,
  ...relatedRecordLinks.shape,
  contentHash: z.string().regex(/^h\d+:[0-9a-f]{64}$/),
  personal: z.object({
    name: z.string().nullable(),
    email: z.string().nullable(),
    salt: z.string().min(22).max(64),
  }),
});

export type RelatedRecordType = z.infer<typeof relatedRecordType>;
export type RelatedRecordLinks = z.infer<typeof relatedRecordLinks>;
export type RelatedRecordSnapshot = z.infer<typeof relatedRecordSnapshot>;

export const relatedRecordEvents = {
  RelatedRecordAdded: {
    version: 1,
    data: relatedRecordSnapshot,
    about: 'A related record was seen for the first time.',
  },
  RelatedRecordRevised: {
    version: 1,
    data: relatedRecordSnapshot,
    about: 'Its name or its links changed, or it came back.',
  },
  RelatedRecordDeleted: { version: 1, data: relatedRecordSnapshot, about: 'The source deleted it.' },
} as const;
