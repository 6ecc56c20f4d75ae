import type { Table } from '#projector/table.ts';

/** Activities as they are now. Names and account roll-ups come from related records, in the queries. */
export const activities: Table = {
  name: 'activities',
  columns: {
    tenant: 'text',
    id: 'uuid',
    revision: 'bigint',
    source: 'text',
    source_id: 'text',
    object: 'text',
    kind: 'text',
    status: 'text',
    is_closed: 'boolean',
    priority: 'text',
    direction: 'text',
    outcome: 'text',
    duration_seconds: 'bigint',
    occurred_at: 'timestamptz',
    due_on: 'date',
    owner_id: 'text',
    account_id: 'text',
    who_id: 'text',
    what_id: 'text',
    subject: 'text',
    body: 'text',
    names: 'json',
    deleted: 'boolean',
    content_hash: 'text',
    source_modified_at: 'timestamptz',
    recorded_at: 'timestamptz',
    changed_at: 'timestamptz',
    position: 'text',
  },
  // A tsvector holds at most 1 MB. A compound word is stored whole and in parts, a character takes up to four bytes.
  generated: {
    search:
      "tsvector generated always as (to_tsvector('simple', left(coalesce(subject, '') || ' ' || coalesce(body, ''), 60000))) stored",
  },
  key: ['tenant', 'id'],
  indexes: [
    "(tenant, coalesce(occurred_at, '-infinity'::timestamptz), id) where not deleted",
    "(tenant, coalesce(due_on, '-infinity'::date), id) where not deleted",
    "(tenant, coalesce(source_modified_at, '-infinity'::timestamptz), id) where not deleted",
    '(tenant, owner_id)',
    '(tenant, account_id)',
    '(tenant, who_id)',
    '(tenant, what_id)',
    'using gin (search)',
  ],
};

/** Every version of every activity, whole. */
export const activityVersions: Table = {
  name: 'activity_versions',
  columns: {
    tenant: 'text',
    id: 'uuid',
    revision: 'bigint',
    type: 'text',
    snapshot: 'json',
    recorded_at: 'timestamptz',
    actor: 'text',
    correlation_id: 'uuid',
    sync_run: 'uuid',
    position: 'text',
  },
  key: ['tenant', 'id', 'revision'],
  indexes: [],
  appendOnly: true,
};
