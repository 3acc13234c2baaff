-- Who is free, by queue, in the order of each strategy: the head of any queue is the first entry of an index, however many
-- are free for it or for others. Kept by `agents` itself, so that no statement can forget it.
create table free_agents (
    queue_id text not null,
    agent_id text not null,
    languages text[] not null,
    level int not null,
    -- the shift's beginning, in steps: among those of one step the least occupied stays so while time goes on
    shift_step timestamptz not null,
    occupied_seconds double precision not null,
    since timestamptz not null,
    constraint free_agents_longest_idle primary key (queue_id, since, agent_id)
);
create index free_agents_most_skilled on free_agents (queue_id, level desc, since, agent_id);
create index free_agents_least_occupied on free_agents (queue_id, shift_step, occupied_seconds, since, agent_id);

create function list_free_agent() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and old.status = 'available' then
        delete from free_agents
        where queue_id = any(old.queues) and since = old.status_since and agent_id = old.id;
    end if;
    if tg_op <> 'DELETE' and new.status = 'available' then
        insert into free_agents
        select queue_id, new.id, new.languages, coalesce((new.skills->>queue_id)::int, 1),
            date_bin('10 minutes', coalesce(new.signed_in_since, new.status_since), 'epoch'), new.occupied_seconds,
            new.status_since
        from unnest(new.queues) queue_id
        on conflict do nothing; -- a queue named twice
    end if;
    return null;
end
$$;
create trigger agents_listed after insert on agents
    for each row when (new.status = 'available') execute function list_free_agent();
create trigger agents_relisted after update on agents
    for each row when (old.status = 'available' or new.status = 'available') execute function list_free_agent();
create trigger agents_unlisted after delete on agents
    for each row when (old.status = 'available') execute function list_free_agent();

insert into free_agents
select queue_id, a.id, a.languages, coalesce((a.skills->>queue_id)::int, 1),
    date_bin('10 minutes', coalesce(a.signed_in_since, a.status_since), 'epoch'), a.occupied_seconds, a.status_since
from agents a, unnest(a.queues) queue_id where a.status = 'available'
on conflict do nothing;

drop index agents_idle;
drop index agents_available_by_queue;
