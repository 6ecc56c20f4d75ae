import type { Table } from '#projector/table.ts';

/** Rebuilds of projections, as the log tells them; tenant `system`. */
export const rebuilds: Table = {
  name: 'rebuilds',
  columns: {
    tenant: 'text',
    id: 'uuid',
    projection: 'text',
    status: 'text',
    reason: 'text',
    requested_by: 'text',
    from_generation: 'int',
    to_generation: 'int',
    events: 'bigint',
    seconds: 'text',
    error: 'text',
    started_at: 'timestamptz',
    ended_at: 'timestamptz',
    position: 'text',
  },
  key: ['tenant', 'id'],
  indexes: ['(tenant, started_at desc)'],
};
