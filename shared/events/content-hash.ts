/**
 * The content hash of a version: `h1:` and the SHA-256, in hexadecimal, of the salt, a line feed and the canonical JSON
 * (RFC 8785) of the listed fields. The salt keeps the hash of a short text from being guessed once the text is erased.
 *
 * The lists are permanent. Another list is another prefix (`h2:`); a stored hash is compared under its own version.
 * Test vectors, and a script that reproduces them in another language, stand in docs/hashes.md.
 */
import { createHash, randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { ActivityFacts } from '#shared/events/activity.ts';
import type { RelatedRecordLinks, RelatedRecordType } from '#shared/events/related-record.ts';

export interface ActivityContent extends ActivityFacts {
  readonly source: string;
  readonly sourceId: string;
  readonly subject: string | null;
  readonly body: string | null;
  readonly extra: Readonly<Record<string, string>>;
}

export interface RelatedRecordContent extends RelatedRecordLinks {
  readonly source: string;
  readonly sourceId: string;
  readonly type: RelatedRecordType;
  readonly name: string | null;
  readonly email: string | null;
}

/** 16 random bytes as base64url, 22 characters. */
export const newSalt = (): string => randomBytes(16).toString('base64url');

function saltedHash(salt: string, content: object): string {
  const text = canonicalize(content);
  if (text === undefined) throw new TypeError('content has no canonical JSON');
  return `h1:${createHash('sha256').update(salt).update('\n').update(text).digest('hex')}`;
}

/** Hash of what the source says of an activity: no derived field, no name, no stamp. */
export function activityContentHash(salt: string, content: ActivityContent): string {
  return saltedHash(salt, {
    source: content.source,
    sourceId: content.sourceId,
    object: content.object,
    type: content.type,
    subtype: content.subtype,
    callType: content.callType,
    callDisposition: content.callDisposition,
    status: content.status,
    closed: content.closed,
    priority: content.priority,
    durationSeconds: content.durationSeconds,
    completedAt: content.completedAt,
    startsAt: content.startsAt,
    createdAt: content.createdAt,
    dueOn: content.dueOn,
    allDay: content.allDay,
    ownerId: content.ownerId,
    accountId: content.accountId,
    whoId: content.whoId,
    whatId: content.whatId,
    subject: content.subject,
    body: content.body,
    extra: content.extra,
  });
}

/** Hash of what the source says of a related record. Here the name is the content. */
export function relatedRecordContentHash(salt: string, content: RelatedRecordContent): string {
  return saltedHash(salt, {
    source: content.source,
    sourceId: content.sourceId,
    type: content.type,
    accountId: content.accountId,
    contactId: content.contactId,
    managerId: content.managerId,
    teamId: content.teamId,
    name: content.name,
    email: content.email,
  });
}
