-- Routing: who offers a call first and to whom, in which order waiting calls get agents, and where else one may go.
alter table queues
    add column routing text not null default 'telephony' check (routing in ('telephony', 'switchboard')),
    add column strategy text not null default 'longest_idle'
        check (strategy in ('longest_idle', 'least_occupied', 'most_skilled')),
    add column misses_before_away int not null default 1 check (misses_before_away > 0),
    add column priority int not null default 0 check (priority between 0 and 9),
    add column aging_seconds double precision not null default 60 check (aging_seconds > 0),
    add column overflow_seconds double precision check (overflow_seconds >= 0),
    add column overflow_queue_id text constraint queues_overflow_known references queues,
    add constraint queues_overflow_whole check ((overflow_seconds is null) = (overflow_queue_id is null)),
    add constraint queues_overflow_elsewhere check (overflow_queue_id <> id);

-- The caller's own; without it the queue's counts.
alter table calls add column priority int check (priority between 0 and 9);

alter table agents
    add column skills jsonb not null default '{}', -- level by queue; 1 where it names none
    add column misses int not null default 0, -- in a row
    add column occupied_seconds double precision not null default 0,
    add column signed_in_since timestamptz;
-- is anybody free for this queue, whatever the number of agents; no pending list, which every reader would have to walk
create index agents_available_by_queue on agents using gin (queues) with (fastupdate = off) where status = 'available';

-- The figures of an agent's shift: several statements change a status, and none may forget them.
create function count_agent_shift() returns trigger language plpgsql as $$
begin
    if old.status in ('offered', 'on_call', 'wrap_up') then
        new.occupied_seconds := old.occupied_seconds
            + greatest(extract(epoch from new.status_since - old.status_since), 0);
    end if;
    if old.status = 'offline' then
        new.occupied_seconds := 0;
        new.signed_in_since := new.status_since;
    elsif new.status = 'offline' then
        new.signed_in_since := null;
    else
        new.signed_in_since := coalesce(old.signed_in_since, old.status_since);
    end if;
    return new;
end
$$;
create trigger agents_shift before update of status on agents
    for each row when (old.status is distinct from new.status) execute function count_agent_shift();
