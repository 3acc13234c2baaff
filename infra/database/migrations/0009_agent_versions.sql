-- Of two pieces of news of one agent, the one with the higher version is the truth: they may be told in any order.
alter table agents add column version int not null default 1;

-- Several statements change an agent, and none may forget it.
create function count_agent_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;
create trigger agents_version before update on agents for each row execute function count_agent_version();
