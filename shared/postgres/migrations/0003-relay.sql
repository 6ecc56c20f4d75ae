-- The relay: who sends the log to the topic, and how far it is. One row.
create table projector.relay (
  id smallint primary key check (id = 1),
  owner uuid,
  epoch bigint not null,
  expires_at timestamptz,
  position text collate "C",
  time timestamptz,
  previous text[] not null default '{}',
  ordinals bigint[] not null default '{}'
);
comment on table projector.relay is
  'The lease of the active relay and its checkpoint: sent and acknowledged up to position, with the last event and the count of each slot. Moves only under its own epoch.';
