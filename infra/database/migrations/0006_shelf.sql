-- What is over leaves the table that is written to. `calls` is one table to its readers and two to those who write:
-- calls_live, where every call is recorded, and a month each of calls that ended a while ago: the shelf. A call is taken
-- off it when an event of it is late. The log has a month each as well. To forget a month is to drop it.

-- As columns what is filtered, sorted, joined or counted; `state` is the rest of what the fold knows.
alter table calls rename to calls_before;
drop index calls_live, calls_newest;
create table calls (
    id text not null,
    shelf timestamptz not null default 'infinity', -- calls on the shelf: their initiated_at
    version int not null default 0,
    initiated_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    due_at timestamptz, -- the next promise to the caller
    settled_at timestamptz, -- when a call that is over was last written
    wait_seconds double precision,
    duration_seconds double precision,
    hold_seconds double precision not null default 0,
    longest_hold_seconds double precision not null default 0,
    hold_excess_seconds double precision not null default 0, -- beyond the queue's limit, over all holds
    priority int check (priority between 0 and 9),
    attempts int not null default 0,
    misses int not null default 0,
    transfers int not null default 0,
    holds int not null default 0,
    history boolean not null default false,
    status text check (status in ('waiting', 'active', 'on_hold', 'ended')),
    type text,
    queue_id text,
    language text,
    agent_id text,
    offered_agent_id text, -- whose phone rings
    end_reason text,
    flags text[] not null default '{}',
    state jsonb not null default '{}',
    constraint calls_begun check (status is null or (queue_id is not null and initiated_at is not null))
) partition by range (shelf);
create table calls_live partition of calls (primary key (id)) for values from ('infinity') to (maxvalue)
    with (fillfactor = 60);
create table calls_other partition of calls (primary key (id)) default; -- on the shelf, of no month that has a partition

insert into calls (
    id, version, initiated_at, answered_at, ended_at, settled_at, wait_seconds, duration_seconds, hold_seconds,
    longest_hold_seconds, priority, attempts, history, status, type, queue_id, language, agent_id, offered_agent_id,
    end_reason, flags, state
)
select id, version, initiated_at, answered_at, ended_at, ended_at, wait_seconds, duration_seconds, hold_seconds,
    longest_hold_seconds, priority, attempts, history, status, type, queue_id, language, agent_id,
    offer ->> 'agent_id', end_reason, flags,
    jsonb_strip_nulls(jsonb_build_object(
        'limits', limits, 'last_at', last_at, 'offer', offer, 'tried', tried, 'missed', missed, 'rerouted', rerouted,
        'held_at', held_at, 'hold_reported_seconds', hold_reported_seconds, 'sla_breached_at', sla_breached_at,
        'hold_exceeded_at', hold_exceeded_at, 'deferred', deferred, 'last_event_id', last_event_id,
        'last_fingerprint', last_fingerprint
    )) || jsonb_build_object('metadata', metadata)
from calls_before;
drop table calls_before;

-- Few, and of what changes once in a call's life, so that an update that only moves it on leaves them alone (HOT).
create index calls_live_newest on calls_live (initiated_at desc, id desc) where initiated_at is not null;
create index calls_live_open on calls_live (queue_id, initiated_at) where ended_at is null and initiated_at is not null;
-- the sweep: what may be shelved, first what has lain longest
create index calls_live_settled on calls_live (settled_at) where settled_at is not null;

-- The log, a month of receipt each. An id is unique in its month; whoever holds a call's lock looks in all of them.
alter table events rename to events_before;
drop index events_of_call, events_by_transaction, events_dead;
create table events (
    position bigint generated always as identity,
    txid bigint not null default (pg_current_xact_id()::text::bigint),
    at timestamptz not null,
    received_at timestamptz not null,
    version int,
    dated boolean not null,
    id text not null,
    call_id text not null,
    name text not null,
    source text not null check (source in ('telephony', 'system', 'history')),
    state text not null check (state in ('applied', 'deferred', 'void', 'dead')),
    fingerprint text not null,
    data jsonb not null,
    metadata jsonb,
    sequence bigint,
    reason text,
    failed_at timestamptz,
    redriven_at timestamptz,
    attempts int not null default 1
) partition by range (received_at);
create table events_other partition of events (unique (id)) default; -- received in no month that has a partition
-- a call's history, and the log that a late event folds again
create index events_of_call on events (call_id);
-- a feed that catches up, below the horizon of open transactions
create index events_by_transaction on events (txid);
-- the dead letters, newest first
create index events_dead on events (failed_at desc, id desc) where state = 'dead';

-- What readers look for in a month of calls. Nobody waits for these: a call comes here once.
create function index_calls(month text) returns void language plpgsql as $$
begin
    execute format('create index on %I (initiated_at desc, id desc)', month);
    execute format('create index on %I (queue_id, initiated_at desc)', month);
end
$$;
select index_calls('calls_other');

-- Makes a month's partition of calls or events, or finds that it is there; whether it was made. What came before its
-- month was made is moved in from the default partition, which is locked for that moment and otherwise empty.
create function make_month(parent text, moment timestamptz) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    key constant text := case parent when 'calls' then 'shelf' when 'events' then 'received_at' end;
    month constant timestamp := date_trunc('month', moment at time zone 'UTC');
    beginning constant timestamptz := month at time zone 'UTC';
    ending constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    made constant text := parent || to_char(month, '_YYYY_MM');
    rest constant text := parent || '_other';
begin
    if to_regclass(made) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext('switchboard: one makes a month'));
    -- By a new snapshot: what a session knows of names may be from before it waited for the lock.
    if exists (select from pg_class where relname = made and relnamespace = current_schema()::regnamespace) then
        return false;
    end if;
    execute format('create table %I (like %I including defaults including constraints including storage)', made, parent);
    execute format('lock table %I in access exclusive mode', rest);
    execute format(
        'with moved as (delete from %1$I where %2$I >= %3$L and %2$I < %4$L returning *) insert into %5$I select * from moved',
        rest, key, beginning, ending, made
    );
    execute format('alter table %I add primary key (id)', made);
    if parent = 'calls' then
        perform index_calls(made);
    end if;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, made, beginning, ending);
    return true;
end
$$;
select make_month('events', now()), make_month('events', now() + interval '1 month');

insert into events (
    position, txid, at, received_at, version, dated, id, call_id, name, source, state, fingerprint, data, metadata,
    sequence, reason, failed_at, redriven_at, attempts
) overriding system value
select position, txid, at, received_at, version, dated, id, call_id, name, source, state, fingerprint, data, metadata,
    sequence, reason, failed_at, redriven_at, attempts
from events_before;
select setval(pg_get_serial_sequence('events', 'position'), greatest((select max(position) from events_before), 1));
drop table events_before;
