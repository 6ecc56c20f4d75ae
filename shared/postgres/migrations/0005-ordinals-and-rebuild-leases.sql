-- How many events of a slot the relay had counted up to the last one applied: for the lag in events.

alter table projector.checkpoints add ordinal bigint;

create table projector.rebuild_leases (
  projection text primary key,
  owner uuid not null,
  expires_at timestamptz not null
);
comment on table projector.rebuild_leases is
  'Which process builds the next generation of a projection; that a loser does no harm is seen to by the checkpoints.';
