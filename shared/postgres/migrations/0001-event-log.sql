-- The event log of one machine. Position order is commit order is visible order, because every append takes one lock
-- before it reads or draws anything, and holds it until its commit is visible.

create schema event_log;

create table event_log.log (
  singleton boolean primary key default true check (singleton),
  id text not null check (id ~ '^[0-9a-f]{8}$')
);
comment on table event_log.log is 'Identity of this log; part of every position.';
insert into event_log.log (id) values (substr(md5(gen_random_uuid()::text), 1, 8));

create table event_log.events (
  position bigint primary key,
  stream text collate "C" not null,
  revision bigint not null check (revision >= 0),
  id uuid not null,
  type text not null,
  tenant text not null,
  recorded_at timestamptz not null,
  -- json, not jsonb: jsonb refuses \u0000, and what was recorded must survive to the letter
  data json not null,
  metadata json not null,
  unique (stream, revision)
);

create function event_log.refuse() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' and current_setting('event_log.appending', true) = 'on' then return null; end if;
  raise exception 'events are only added by event_log.append, and never changed (% refused)', tg_op
    using errcode = 'insufficient_privilege';
end $$;

create trigger only_append before insert or update or delete or truncate on event_log.events
  for each statement execute function event_log.refuse();
revoke insert, update, delete, truncate on event_log.events from public;

-- Appends to many streams, each of which stands at most once in p_streams. Each stream is judged on its own:
-- 'appended' (also for a repeat whose ids stand where they would have been put) or 'conflict' with the actual revision.
-- Expected revision -1: the stream must not exist.
create function event_log.append(
  p_streams text[], p_expected bigint[],
  p_entries int[], p_ids uuid[], p_types text[], p_tenants text[], p_recorded timestamptz[], p_data text[], p_metadata text[]
) returns table (entry int, outcome text, revision bigint, "position" bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  base bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'event_log.append needs READ COMMITTED: under another isolation it would not see what the lock let in';
  end if;
  perform pg_advisory_xact_lock(7305120441);
  perform set_config('event_log.appending', 'on', true);
  select coalesce(max(e.position), 0) into base from event_log.events e;
  return query
    with incoming as materialized (
      select i.entry, i.id, i.type, i.tenant, i.recorded_at, i.data, i.metadata, i.ord,
             row_number() over (partition by i.entry order by i.ord) as place
      from unnest(p_entries, p_ids, p_types, p_tenants, p_recorded, p_data, p_metadata)
        with ordinality as i (entry, id, type, tenant, recorded_at, data, metadata, ord)
    ), entries as materialized (
      select s.ord::int as entry, s.stream, s.expected,
             coalesce((select e.revision from event_log.events e
                       where e.stream = s.stream order by e.revision desc limit 1), -1) as actual
      from unnest(p_streams, p_expected) with ordinality as s (stream, expected, ord)
    ), inserted as (
      insert into event_log.events (position, stream, revision, id, type, tenant, recorded_at, data, metadata)
      select base + row_number() over (order by i.ord), n.stream, n.expected + i.place,
             i.id, i.type, i.tenant, i.recorded_at, i.data::json, i.metadata::json
      from incoming i join entries n on n.entry = i.entry
      where n.actual = n.expected
      returning stream, revision, position
    ), appended as (
      select stream, max(revision) as revision, max(position) as position from inserted group by stream
    ), repeated as (
      select i.entry, max(e.revision) as revision, max(e.position) as position, count(*) as found
      from incoming i
        join entries n on n.entry = i.entry and n.actual <> n.expected
        join event_log.events e on e.stream = n.stream and e.revision = n.expected + i.place and e.id = i.id
      group by i.entry
    ), sizes as (
      select entry, count(*) as events from incoming group by entry
    )
    select n.entry,
           case when n.actual = n.expected or r.found = z.events then 'appended' else 'conflict' end,
           coalesce(a.revision, case when r.found = z.events then r.revision end, n.actual),
           coalesce(a.position, case when r.found = z.events then r.position end)
    from entries n
      join sizes z on z.entry = n.entry
      left join appended a on n.actual = n.expected and a.stream = n.stream
      left join repeated r on r.entry = n.entry
    order by n.entry;
  perform set_config('event_log.appending', 'off', true);
  perform pg_notify('event_log', '');
end $$;
comment on function event_log.append is 'The only way into the log.';
