-- A restore that has begun and has not ended: its log is a beginning only.
create schema installation;
create table installation.restore (
  id smallint primary key check (id = 1),
  place text not null,
  begun_at timestamptz not null default now()
);
comment on table installation.restore is
  'One row from before the first event that a restore writes until all of it is there. While it stands, nothing starts here.';
