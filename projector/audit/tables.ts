import type { Table } from '#projector/table.ts';

/** A row an event. The origin of a request (address, user agent, name) is joined when it is read, and erasable. */
export const auditEntries: Table = {
  name: 'audit_entries',
  columns: {
    tenant: 'text',
    position: 'text',
    event_id: 'uuid',
    type: 'text',
    category: 'text',
    entity_id: 'text',
    stream: 'text',
    revision: 'bigint',
    recorded_at: 'timestamptz',
    actor: 'text',
    correlation_id: 'uuid',
    command_id: 'uuid',
    sync_run: 'uuid',
    decision: 'boolean',
    summary: 'json',
    items: 'json',
  },
  key: ['tenant', 'position'],
  indexes: [
    '(tenant, position) where decision',
    '(tenant, stream, revision)',
    '(tenant, event_id)',
    '(tenant, correlation_id)',
    '(tenant, actor, position)',
    '(tenant, recorded_at)',
  ],
  appendOnly: true,
};
