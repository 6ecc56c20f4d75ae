import type { ActivityFacts } from '#shared/events/activity.ts';
import type { ActivityRecord } from './source-record.ts';

/** The facts of a record of which nothing is stored yet: what is absent is null. */
export function wholeFacts({ object, facts }: Pick<ActivityRecord, 'object' | 'facts'>): ActivityFacts {
  return {
    object,
    type: facts.type ?? null,
    subtype: facts.subtype ?? null,
    callType: facts.callType ?? null,
    callDisposition: facts.callDisposition ?? null,
    status: facts.status ?? null,
    closed: facts.closed ?? null,
    priority: facts.priority ?? null,
    durationSeconds: facts.durationSeconds ?? null,
    completedAt: facts.completedAt ?? null,
    startsAt: facts.startsAt ?? null,
    createdAt: facts.createdAt ?? null,
    dueOn: facts.dueOn ?? null,
    allDay: facts.allDay ?? false,
    ownerId: facts.ownerId ?? null,
    accountId: facts.accountId ?? null,
    whoId: facts.whoId ?? null,
    whatId: facts.whatId ?? null,
  };
}
