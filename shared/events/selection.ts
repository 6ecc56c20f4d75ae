/**
 * Events of a selection: a named, purposeful set of activity versions.
 *
 * open → frozen or discarded; discarded → open; frozen is final (to change it, copy it). A set of more than 1,000
 * is filled in parts ("part i of n"); until part n is there the selection is being filled.
 */
import { z } from 'zod';

/** About 140 kB an event; the log takes 512 KiB. */
export const itemsPerEvent = 1_000;

export const selectionItem = z.object({
  activityId: z.uuid(),
  revision: z.int().nonnegative(),
  contentHash: z.string(),
});

/** A filter as the caller sent it, with clock-dependent parts resolved. */
const storedFilter = z.record(z.string(), z.unknown());

export const selectionName = z.string().trim().min(1).max(200);
export const selectionPurpose = z.string().trim().max(2_000);
export const reason = z.string().trim().max(500);
export const exportFormat = z.enum(['markdown', 'ndjson', 'csv']);

export type SelectionItem = z.infer<typeof selectionItem>;
export type ExportFormat = z.infer<typeof exportFormat>;

export const selectionEvents = {
  SelectionOpened: {
    version: 1,
    about: 'Somebody began a selection.',
    data: z.object({
      name: selectionName,
      purpose: selectionPurpose.nullable(),
      copiedFrom: z.uuid().nullable(),
      filter: storedFilter.nullable().describe('where it is filled from a filter'),
      filterPosition: z.string().nullable().describe('the position that the filter was answered as of'),
    }),
  },
  ActivitiesSelected: {
    version: 1,
    about: 'Versions of activities were added.',
    data: z.object({
      items: z.array(selectionItem).max(itemsPerEvent),
      part: z.int().positive(),
      of: z.int().positive(),
      filter: storedFilter.nullable(),
      filterPosition: z.string().nullable(),
    }),
  },
  ActivitiesDeselected: {
    version: 1,
    about: 'Activities were taken out.',
    data: z.object({
      activityIds: z.array(z.uuid()).min(1).max(itemsPerEvent),
      part: z.int().positive(),
      of: z.int().positive(),
      filter: storedFilter.nullable(),
      filterPosition: z.string().nullable(),
    }),
  },
  SelectionRenamed: { version: 1, about: 'It got another name.', data: z.object({ name: selectionName }) },
  SelectionPurposeChanged: {
    version: 1,
    about: 'It got another purpose.',
    data: z.object({ purpose: selectionPurpose.nullable() }),
  },
  SelectionFrozen: {
    version: 1,
    about: 'Its content is final.',
    data: z.object({
      count: z.int().nonnegative(),
      digest: z.string().regex(/^sha-256:[0-9a-f]{64}$/),
      position: z.string().describe('what was selected was decided with the log up to here'),
    }),
  },
  SelectionDiscarded: { version: 1, about: 'It was thrown away.', data: z.object({ reason: reason.nullable() }) },
  SelectionReopened: { version: 1, about: 'It was taken back.', data: z.object({ reason: reason.nullable() }) },
  SelectionExported: {
    version: 1,
    about: 'Its content was handed out as a file.',
    data: z.object({
      format: exportFormat,
      digest: z
        .string()
        .regex(/^sha-256:[0-9a-f]{64}$/)
        .describe('of the bytes handed out'),
      count: z.int().nonnegative(),
    }),
  },
  SelectionShared: {
    version: 1,
    about: 'It was shared, with a model or through one with somebody.',
    data: z.object({
      model: z.string().trim().min(1).max(200).nullable(),
      digest: z.string().describe('the digest of the frozen selection'),
      personal: z.object({
        recipient: z.string().trim().min(1).max(320),
        note: z.string().trim().max(2_000).nullable(),
      }),
    }),
  },
} as const;
