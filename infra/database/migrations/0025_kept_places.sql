-- Whose offer was taken back keeps the place among the idle that the agent had, as if the phone had not rung. Such a release
-- is told from others by its time, which is the offer's own.
alter table agents add column idle_since timestamptz;
create function keep_idle_place() returns trigger language plpgsql as $$
begin
    if old.status = 'available' and new.status = 'offered' then
        new.idle_since := coalesce(old.idle_since, old.status_since);
    elsif not (old.status = 'offered' and (
        new.status = 'offered' or new.status = 'available' and new.status_since <= old.status_since
    )) then
        new.idle_since := null;
    end if;
    return new;
end
$$;
create trigger agents_idle before update of status on agents
    for each row when ((old.status, old.status_since) is distinct from (new.status, new.status_since))
    execute function keep_idle_place();

create or replace function list_free_agent() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and old.status = 'available' then
        delete from free_agents
        where queue_id = any(old.queues) and since = coalesce(old.idle_since, old.status_since) and agent_id = old.id;
    end if;
    if tg_op <> 'DELETE' and new.status = 'available' then
        insert into free_agents
        select queue_id, new.id, new.languages, coalesce((new.skills->>queue_id)::int, 1),
            date_bin('10 minutes', coalesce(new.signed_in_since, new.status_since), 'epoch'), new.occupied_seconds,
            coalesce(new.idle_since, new.status_since)
        from unnest(new.queues) queue_id
        on conflict do nothing; -- a queue named twice
    end if;
    return null;
end
$$;
