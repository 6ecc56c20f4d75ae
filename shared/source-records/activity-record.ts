/**
 * The lines of an NDJSON file in our own shape: for any source that is not Salesforce. This is the only definition; the
 * JSON Schema in docs/activity-record.schema.json is generated from it.
 *
 * A member that is absent leaves what is stored; null empties it. Unknown members are refused, so that a slip of the
 * pen (`occuredAt`) does not lose data in silence.
 */
import { z } from 'zod';
import { activityKind, callDirection } from '#shared/events/activity.ts';
import { relatedRecordType } from '#shared/events/related-record.ts';

const MAX_TEXT = 131_072;

const id = z
  .string()
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u)
  .meta({ description: '1 to 255 printable characters; compared exactly' });
const short = z.string().max(255).nullable().optional();
const long = z.string().max(MAX_TEXT).nullable().optional();
const link = id.nullable().optional();
const instant = z
  .union([z.string().meta({ format: 'date-time' }), z.int()])
  .nullable()
  .optional()
  .meta({ description: 'a time with its zone, as 2026-01-31T09:30:00Z, or milliseconds since 1970' });
const date = z
  .string()
  .nullable()
  .optional()
  .meta({ format: 'date', description: 'a date without a zone, as 2026-01-31; never shifted' });
const party = z.strictObject({ id: link, name: short, email: short }).nullable().optional().meta({
  description:
    'the id decides; the name is kept as the source sent it along; an e-mail address belongs into a contact or user line',
});

export const activityRecord = z
  .strictObject({
    id,
    object: z
      .string()
      .min(1)
      .max(80)
      .optional()
      .meta({ description: 'what the source calls it; Activity where absent. An Event is a meeting' }),
    kind: activityKind.nullable().optional().meta({
      description:
        'where absent it is derived: from type, else a direction or a duration means a call, else an Event is a meeting, else task',
    }),
    type: short,
    subject: z.string().max(MAX_TEXT).nullable().optional(),
    body: long,
    occurredAt: instant.meta({
      description:
        'when it happened; for a meeting, when it starts. A time with its zone, as 2026-01-31T09:30:00Z, or milliseconds since 1970',
    }),
    createdAt: instant,
    dueOn: date,
    allDay: z.boolean().optional(),
    status: short,
    closed: z.boolean().nullable().optional().meta({ description: 'where absent it is derived from the status' }),
    priority: short,
    direction: callDirection.nullable().optional(),
    outcome: short.meta({ description: 'such as answered, missed, no answer' }),
    durationSeconds: z.int().min(0).max(9_999_999).nullable().optional(),
    owner: party,
    account: party,
    who: party.meta({ description: 'the contact or lead' }),
    what: party.meta({ description: 'the opportunity, case, campaign or other record it is about' }),
    modifiedAt: instant.meta({
      description: 'when the source last changed it; decides which of two versions is newer',
    }),
    deleted: z.boolean().optional(),
    extra: z
      .record(z.string().min(1).max(255), z.union([z.string().max(MAX_TEXT), z.number(), z.boolean()]).nullable())
      .optional()
      .meta({ description: 'further fields, kept as text' }),
  })
  .meta({ title: 'Activity', description: 'a call, e-mail, meeting, task or note' });

export const relatedRecordLine = z
  .strictObject({
    type: relatedRecordType,
    id,
    name: short,
    email: short,
    accountId: link.meta({ description: "a contact's, opportunity's or case's account; an account's parent" }),
    contactId: link.meta({ description: "a case's contact" }),
    managerId: link.meta({ description: "a user's manager" }),
    teamId: link.meta({ description: "a user's team" }),
    modifiedAt: instant,
    deleted: z.boolean().optional(),
  })
  .meta({
    title: 'Related record',
    description: 'a record that activities refer to: user, contact, lead, account, opportunity, case, campaign',
  });

export type ActivityLine = z.infer<typeof activityRecord>;
export type RelatedRecordLine = z.infer<typeof relatedRecordLine>;

/** The JSON Schema of one line. */
export function activityRecordJsonSchema(): Record<string, unknown> {
  const { $schema, ...line } = z.toJSONSchema(z.union([activityRecord, relatedRecordLine]), { io: 'input' });
  return {
    $schema,
    title: 'A line of an NDJSON import file',
    description:
      'An absent member leaves what is stored; null empties it. A line with a type such as contact or user is a related record, any other an activity.',
    ...line,
  };
}
