/**
 * A source record: one line of a file, or one record of an API, in our words but before any decision.
 *
 * A field that is `undefined` was absent from the source (the column is not in the file): what is stored is kept.
 * A field that is `null` was there and empty. That difference is the reason for this type.
 */
import type { ActivityFacts } from '#shared/events/activity.ts';
import type { RelatedRecordLinks, RelatedRecordType } from '#shared/events/related-record.ts';

type Absent<T> = { [K in keyof T]?: T[K] | undefined };

export interface ActivityRecord {
  readonly noun: 'activity';
  readonly sourceId: string;
  /** UTC instant with milliseconds, or null where the source gives no stamp. */
  readonly sourceModifiedAt: string | null;
  readonly deleted: boolean;
  readonly object: string;
  readonly facts: Absent<Omit<ActivityFacts, 'object'>>;
  /** Given by a mapping (`kind=Type__c`): wins over everything derived. `from` names the column. */
  readonly kind?: { readonly value: string | null; readonly from: string } | undefined;
  readonly outcome?: { readonly value: string | null; readonly from: string } | undefined;
  readonly subject?: string | null | undefined;
  readonly body?: string | null | undefined;
  readonly names: Readonly<Record<string, string>>;
  /** Null: the column is there and empty. */
  readonly extra: Readonly<Record<string, string | null>>;
}

export interface RelatedRecord {
  readonly noun: 'related-record';
  readonly sourceId: string;
  readonly sourceModifiedAt: string | null;
  readonly deleted: boolean;
  readonly type: RelatedRecordType;
  readonly links: Absent<RelatedRecordLinks>;
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
}

/** A record that cannot be taken, with a reason a person can act on (at most 500 characters, no personal content). */
export interface RejectedRecord {
  readonly noun: 'rejected';
  readonly sourceId: string | null;
  readonly reason: string;
}

/** A record with its place: `line` is the line of the file (from 1) where it starts. */
export type SourceRecord = (ActivityRecord | RelatedRecord | RejectedRecord) & { readonly line: number };
