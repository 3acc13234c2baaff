-- What each package's role may do, and nothing beyond: the tables that its statements name. Run at the end of every
-- `migrate` where the roles are there (`switchboard roles` makes them), so that a new table is granted with its migration.
-- Partitions need no grants of their own: who reads or writes the whole is asked for the whole's.
do $$
declare
    found record;
begin
    if not exists (select from pg_roles where rolname = 'switchboard_ingest') then
        return;
    end if;
    -- From nothing, so that what is no longer written here is no longer granted.
    execute format('revoke all on all tables in schema %I from switchboard_ingest, switchboard_query,'
                   ' switchboard_timers, switchboard_broadcast', current_schema());
    execute format('revoke all on all sequences in schema %I from switchboard_broadcast', current_schema());
    -- What runs with the owner's rights is for those who are named below.
    for found in select oid::regprocedure as function from pg_proc
        where prosecdef and pronamespace = current_schema()::regnamespace
    loop
        execute format('revoke execute on function %s from public', found.function);
    end loop;
    execute format('revoke create on schema %I from public', current_schema());
    execute format('grant usage on schema %I to switchboard_ingest, switchboard_query, switchboard_timers,'
                   ' switchboard_broadcast', current_schema());

    -- Events in, the set-up of queues and agents, and the offers that follow: dead letters are redriven here too.
    grant select, insert, update, delete on calls, calls_live, call_rollups, timers, outbox, agents, free_agents
        to switchboard_ingest;
    grant select, insert, update on queues, events, agent_events to switchboard_ingest;
    grant select on heartbeats, leases, connections, agent_time_progress to switchboard_ingest;
    grant select on events_other to switchboard_ingest, switchboard_timers;
    -- Places in the log are drawn before they are filled.
    execute format('grant usage on sequence %s to switchboard_ingest, switchboard_timers',
                   pg_get_serial_sequence('events', 'position'));

    -- Reads.
    grant select on calls, events, agents, queues, outbox, call_rollups, free_agents, agent_events,
        agent_intervals, agent_rollups, agent_time_progress, call_retention to switchboard_query;

    -- The promises, the shelf, and what is left of connections.
    grant select, insert, update, delete on calls, calls_live, call_rollups, timers, outbox, free_agents, heartbeats
        to switchboard_timers;
    grant select, insert, update on events, agents to switchboard_timers;
    grant select on queues, agent_events, leases to switchboard_timers;
    grant select, delete on connections to switchboard_timers;
    grant select, insert, update, delete on agent_intervals, agent_rollups to switchboard_timers;
    grant select, update on agent_time_progress to switchboard_timers;
    grant execute on function make_month(text, timestamptz), forget_month(timestamptz), make_agent_month(timestamptz),
        forget_agent_month(timestamptz) to switchboard_timers;

    -- Who listens, and what they are told.
    grant select, insert, update, delete on connections, subscriptions, leases to switchboard_broadcast;
    grant usage on sequence fencing_tokens to switchboard_broadcast;
    grant select, delete on outbox to switchboard_broadcast;
    grant select on calls, events, agents, queues to switchboard_broadcast;
end
$$;
