-- What each agent did with the time. Not written where an event is recorded: the sweep follows the log behind it, so that
-- nobody waits for this, and what an agent did comes out the same whatever order and in which batches events came.

-- The agents' own words, in a place of the log as well.
alter table agent_events add column txid bigint not null default this_position();
create index agent_events_by_transaction on agent_events (txid);
-- Who was signed in by being set up said so then.
insert into agent_events (id, agent_id, status, at, received_at, fingerprint)
select 'set-up:' || id, id, status, status_since, status_since, '' from agents a
where call_id is null and status <> 'offline' and not exists (select from agent_events e where e.agent_id = a.id)
on conflict do nothing;

-- A word of a call, or of the agent, and what follows from it and all before it until the next: `status`. Nothing here is
-- known that the log does not say, but for what was forgotten: of that a span `carried` over stands for the rest.
create table agent_spans (
    agent_id text not null,
    began timestamptz not null,
    ended timestamptz, -- null: goes on, or nothing more is known
    of_call boolean not null,
    source text collate "C" not null, -- the call's id, or the report's
    step int not null,
    word text not null check (word in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away', 'carried')),
    forgives int not null,
    status text not null check (status in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away')),
    standing jsonb not null,
    -- an agent's spans in the order of time
    constraint agent_spans_in_order primary key (agent_id, began, of_call, source, step)
) partition by range (began);
-- what a call has said of agents so far
create index agent_spans_of_call on agent_spans (source) where of_call;
-- what goes on at this moment
create index agent_spans_open on agent_spans (agent_id) where ended is null and status <> 'offline';

-- Sums of the spans that ended, whole milliseconds. An agent is named in the grains that say so, in others ''.
create table agent_rollups (
    grain text not null check (grain in ('5m', '1h', '1d', '1h agent', '1d agent')),
    start timestamptz not null,
    agent_id text not null,
    ringing_ms bigint not null, on_call_ms bigint not null, wrap_up_ms bigint not null, available_ms bigint not null,
    away_ms bigint not null,
    primary key (grain, start, agent_id) -- GET /api/metrics: a grain, a range of time
);

-- How far the log was followed, and since when spans are kept: nothing can have happened before 1970. Whoever follows it holds this row.
create table agent_time_kept (
    through bigint not null,
    kept_since timestamptz not null,
    single boolean primary key default true check (single)
);
insert into agent_time_kept (through, kept_since) values (0, '1970-01-01 00:00:00+00');

-- Makes a month's partition, or finds that it is there. No default partition: so months can be walked in their order.
create function make_agent_month(moment timestamptz) returns void
language plpgsql security definer set search_path from current as $$
declare
    month constant timestamp := date_trunc('month', moment at time zone 'UTC');
    beginning constant timestamptz := month at time zone 'UTC';
    ending constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    made constant text := 'agent_spans' || to_char(month, '_YYYY_MM');
begin
    if to_regclass(made) is null then
        execute format('create table %I (like agent_spans including all)', made);
        execute format('alter table agent_spans attach partition %I for values from (%L) to (%L)', made, beginning, ending);
    end if;
end
$$;

-- Forgets the oldest month that was over when that of `since` began, and says which; null where there is none, or where
-- its locks are not to be had in a moment. What went on beyond its end is carried over; its sums stay.
create function forget_agent_month(since timestamptz) returns text
language plpgsql security definer set search_path from current set lock_timeout = '50ms' as $$
declare
    oldest text;
    month_end timestamptz;
begin
    perform from agent_time_kept for update;
    select c.relname, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC'
    into oldest, month_end
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'agent_spans'::regclass order by 2 limit 1;
    if oldest is null or month_end > since then
        return null;
    end if;
    perform make_agent_month(month_end);
    insert into agent_spans (agent_id, began, ended, of_call, source, step, word, forgives, status, standing)
    select agent_id, month_end, ended, false, '', 0, 'carried', 1, status, standing
    from agent_spans where began < month_end and coalesce(ended > month_end, true);
    update agent_time_kept set kept_since = month_end;
    execute format('drop table %I', oldest);
    return oldest;
exception when lock_not_available then
    return null;
end
$$;
