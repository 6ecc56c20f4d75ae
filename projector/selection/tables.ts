import type { Table } from '#projector/table.ts';

export const selections: Table = {
  name: 'selections',
  columns: {
    tenant: 'text',
    id: 'uuid',
    revision: 'bigint',
    name: 'text',
    purpose: 'text',
    status: 'text',
    filling: 'boolean',
    copied_from: 'uuid',
    filter: 'json',
    digest: 'text',
    frozen_count: 'bigint',
    frozen_at: 'timestamptz',
    opened_by: 'text',
    opened_at: 'timestamptz',
    changed_at: 'timestamptz',
    exports: 'bigint',
    shares: 'bigint',
    position: 'text',
  },
  key: ['tenant', 'id'],
  indexes: ['(tenant, changed_at desc, id desc)'],
};

/** What a selection holds, and what it once held. */
export const selectionItems: Table = {
  name: 'selection_items',
  columns: {
    tenant: 'text',
    selection_id: 'uuid',
    activity_id: 'uuid',
    revision: 'bigint',
    content_hash: 'text',
    selected_at: 'timestamptz',
    removed_at: 'timestamptz',
  },
  key: ['tenant', 'selection_id', 'activity_id'],
  indexes: ['(tenant, activity_id)'],
};
