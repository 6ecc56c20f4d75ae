/** One line of NDJSON in our own shape as a source record. */
import type { z } from 'zod';
import { relatedRecordType } from '#shared/events/related-record.ts';
import { type ActivityLine, activityRecord, type RelatedRecordLine, relatedRecordLine } from './activity-record.ts';
import { rejectedRecord } from './rejected-record.ts';
import type { ActivityRecord, RelatedRecord, SourceRecord } from './source-record.ts';
import { instant, plainDate } from './source-values.ts';

type Rejection = { readonly reason: string };
const isRejection = (value: object): value is Rejection => 'reason' in value;

/** zod's messages name what was expected; of those that would quote what was found only the path is kept. */
function reasonOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map((issue) => {
      const where = issue.path.length > 0 ? issue.path.join('.') : 'the line';
      if (issue.code === 'unrecognized_keys') return `${where}: unknown member ${issue.keys.slice(0, 5).join(', ')}`;
      if (issue.code === 'invalid_format')
        return `${where}: not of the form that docs/activity-record.schema.json asks for`;
      return `${where}: ${issue.message}`;
    })
    .join('; ');
}

/** False where a text has half of a surrogate pair: it has no UTF-8 and cannot be stored. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member));
}

const empty = (text: string | null | undefined): string | null | undefined => (text === '' ? null : text);

type Read<T> = (value: T, read: (text: string) => string | undefined, name: string) => string | null | undefined;

/** Reads times and dates; remembers the first that cannot be read. */
function valueReader(): { read: Read<string | number | null | undefined>; rejection: () => Rejection | null } {
  let rejection: Rejection | null = null;
  return {
    read: (value, read, name) => {
      if (value === undefined || value === null) return value;
      if (value === '') return null;
      const result = read(String(value));
      if (result === undefined)
        rejection ??= {
          reason: `${name}: expected ${read === plainDate ? 'a date that exists, as YYYY-MM-DD' : 'a time with its zone'}`,
        };
      return result;
    },
    rejection: () => rejection,
  };
}

function toActivity(line: ActivityLine): ActivityRecord | Rejection {
  const { read, rejection } = valueReader();
  const object = line.object ?? 'Activity';
  const occurredAt = read(line.occurredAt, instant, 'occurredAt');
  const isMeeting = line.kind === 'meeting' || (line.kind === undefined && object === 'Event');
  const names: Record<string, string> = {};
  for (const role of ['owner', 'account', 'who', 'what'] as const) {
    const name = line[role]?.name;
    if (name) names[role] = name;
  }
  const idOf = (role: 'owner' | 'account' | 'who' | 'what') => (line[role] === null ? null : line[role]?.id);
  const record: ActivityRecord = {
    noun: 'activity',
    sourceId: line.id,
    sourceModifiedAt: read(line.modifiedAt, instant, 'modifiedAt') ?? null,
    deleted: line.deleted ?? false,
    object,
    facts: {
      type: empty(line.type),
      callType: line.direction,
      status: empty(line.status),
      closed: line.closed,
      priority: empty(line.priority),
      durationSeconds: line.durationSeconds,
      // A meeting happens when it starts; of anything else the source says when it was done.
      // One time, in the place of its kind; the other place is emptied. Without a kind it stands where it wins.
      completedAt: isMeeting ? (occurredAt === undefined ? undefined : null) : occurredAt,
      startsAt: isMeeting
        ? line.allDay
          ? null
          : occurredAt
        : line.kind === undefined || occurredAt === undefined
          ? undefined
          : null,
      createdAt: read(line.createdAt, instant, 'createdAt'),
      dueOn: read(line.dueOn, plainDate, 'dueOn'),
      allDay: line.allDay,
      ownerId: idOf('owner'),
      accountId: idOf('account'),
      whoId: idOf('who'),
      whatId: idOf('what'),
    },
    kind: line.kind === undefined ? undefined : { value: line.kind, from: 'kind' },
    outcome: line.outcome === undefined ? undefined : { value: empty(line.outcome) ?? null, from: 'outcome' },
    subject: empty(line.subject),
    body: empty(line.body),
    names,
    extra: Object.fromEntries(
      Object.entries(line.extra ?? {}).map(([name, value]) => [
        name,
        value === null || value === '' ? null : String(value),
      ]),
    ),
  };
  return rejection() ?? record;
}

function toRelated(line: RelatedRecordLine): RelatedRecord | Rejection {
  const { read, rejection } = valueReader();
  const record: RelatedRecord = {
    noun: 'related-record',
    sourceId: line.id,
    sourceModifiedAt: read(line.modifiedAt, instant, 'modifiedAt') ?? null,
    deleted: line.deleted ?? false,
    type: line.type,
    links: { accountId: line.accountId, contactId: line.contactId, managerId: line.managerId, teamId: line.teamId },
    name: empty(line.name),
    email: empty(line.email),
  };
  return rejection() ?? record;
}

/** The id of a line that is rejected for something else, if it has one that can be shown. */
function idOf(value: object): string | null {
  const id = activityRecord.shape.id.safeParse('id' in value ? value.id : undefined);
  return id.success && id.data.isWellFormed() ? id.data : null;
}

export function ndjsonRecord(text: string, line: number): SourceRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return rejectedRecord(line, null, 'the line is not JSON; each line must hold one JSON object');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return rejectedRecord(line, null, 'the line is no JSON object; each line must hold one');
  const isRelated = 'type' in value && relatedRecordType.safeParse(value.type).success;
  const parsed = isRelated ? relatedRecordLine.safeParse(value) : activityRecord.safeParse(value);
  if (!parsed.success) return rejectedRecord(line, idOf(value), reasonOf(parsed.error));
  // Bytes that are UTF-8 have no half pairs; only an escape can make one.
  if (text.includes('\\u') && !isWellFormed(parsed.data))
    return rejectedRecord(line, idOf(value), 'a text has half of a surrogate pair (\\ud800 to \\udfff)');
  const record = isRelated ? toRelated(parsed.data as RelatedRecordLine) : toActivity(parsed.data as ActivityLine);
  return isRejection(record) ? rejectedRecord(line, idOf(value), record.reason) : { ...record, line };
}
