-- Tables of the services beside the log and the read models.

create schema command;

create table command.request_origins (
  tenant text not null,
  correlation_id uuid not null,
  actor text not null,
  actor_name text,
  client_address text,
  user_agent text,
  at timestamptz not null,
  primary key (tenant, correlation_id)
);
comment on table command.request_origins is
  'Personal data of requests, erasable, never in an event. Written before the append; read by the audit view.';

create table command.sync_leases (
  tenant text not null,
  source text not null,
  epoch bigint not null,
  run uuid,
  holder uuid,
  expires_at timestamptz,
  watermark text,
  primary key (tenant, source)
);
comment on table command.sync_leases is
  'One active sync run a tenant and source. The epoch rises with every run; the holder is the process that receives a part.';

create table command.planned_appends (
  stream text primary key,
  tenant text not null,
  expected bigint not null,
  planned_at timestamptz not null default now()
);
create table command.planned_events (
  stream text not null references command.planned_appends on delete cascade,
  place int not null,
  event json not null,
  primary key (stream, place)
);
comment on table command.planned_appends is
  'Appends too large for one call: written here whole before their first event, completed by any server that finds them.';

create schema projector;

create table projector.projections (
  name text primary key,
  live_generation int not null
);
comment on table projector.projections is 'Which generation of a projection is live.';

create table projector.generations (
  projection text not null,
  generation int not null,
  version int not null,
  state text not null check (state in ('building', 'live', 'retired')),
  rebuild_id uuid,
  built_at timestamptz not null default now(),
  primary key (projection, generation)
);

create table projector.checkpoints (
  projection text not null,
  generation int not null,
  slot smallint not null check (slot between 0 and 63),
  position text collate "C" not null,
  time timestamptz,
  event_id uuid,
  event_position text collate "C",
  primary key (projection, generation, slot),
  foreign key (projection, generation) references projector.generations on delete cascade
) with (fillfactor = 50);
comment on table projector.checkpoints is
  'Up to which position a generation has applied each slot, and the last event of the slot that it applied.';
