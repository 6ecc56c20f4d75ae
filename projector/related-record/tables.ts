import type { Table } from '#projector/table.ts';

export const relatedRecords: Table = {
  name: 'related_records',
  columns: {
    tenant: 'text',
    source: 'text',
    source_id: 'text',
    id: 'uuid',
    revision: 'bigint',
    type: 'text',
    name: 'text',
    email: 'text',
    account_id: 'text',
    contact_id: 'text',
    manager_id: 'text',
    team_id: 'text',
    deleted: 'boolean',
    content_hash: 'text',
    source_modified_at: 'timestamptz',
    changed_at: 'timestamptz',
    position: 'text',
  },
  key: ['tenant', 'source', 'source_id'],
  indexes: ['(tenant, source, account_id) where account_id is not null'],
};
