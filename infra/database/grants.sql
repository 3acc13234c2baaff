-- The grants of each package's role: the tables that its statements name, and nothing else. Runs at the end of every
-- `migrate` if the roles exist (`switchboard roles` creates them), so that a new table is granted with its migration.
-- Partitions need no grants: Postgres checks those of the table that a statement names.
do $$
declare
    found record;
begin
    if not exists (select from pg_roles where rolname = 'switchboard_ingest') then
        return;
    end if;
    -- Revoke everything first, so that a line removed from this file removes the grant.
    execute format('revoke all on all tables in schema %I from switchboard_ingest, switchboard_query,'
                   ' switchboard_timers, switchboard_broadcast', current_schema());
    execute format('revoke all on all sequences in schema %I from switchboard_broadcast', current_schema());
    -- Functions with the owner's rights are only for the roles named below.
    for found in select oid::regprocedure as function from pg_proc
        where prosecdef and pronamespace = current_schema()::regnamespace
    loop
        execute format('revoke execute on function %s from public', found.function);
    end loop;
    execute format('revoke create on schema %I from public', current_schema());
    execute format('grant usage on schema %I to switchboard_ingest, switchboard_query, switchboard_timers,'
                   ' switchboard_broadcast', current_schema());

    -- ingest: events, the set-up of queues and agents, offers, redriven dead letters.
    grant select, insert, update, delete on calls, calls_live, call_rollups, timers, outbox, agents, free_agents
        to switchboard_ingest;
    grant select, insert, update on queues, events, agent_events to switchboard_ingest;
    grant select on heartbeats, leases, connections, agent_time_progress to switchboard_ingest;
    grant select on events_other to switchboard_ingest, switchboard_timers;
    -- Positions of events are drawn before the events are inserted.
    execute format('grant usage on sequence %s to switchboard_ingest, switchboard_timers',
                   pg_get_serial_sequence('events', 'position'));

    -- query: reads.
    grant select on calls, events, agents, queues, outbox, call_rollups, free_agents, agent_events,
        agent_intervals, agent_rollups, agent_time_progress, call_retention to switchboard_query;

    -- timers: deadlines, the archive, agent time, expired connections.
    grant select, insert, update, delete on calls, calls_live, call_rollups, timers, outbox, free_agents, heartbeats
        to switchboard_timers;
    grant select, insert, update on events, agents to switchboard_timers;
    grant select on queues, agent_events, leases to switchboard_timers;
    grant select, delete on connections to switchboard_timers;
    grant select, insert, update, delete on agent_intervals, agent_rollups to switchboard_timers;
    grant select, update on agent_time_progress to switchboard_timers;
    grant execute on function make_month(text, timestamptz), forget_month(timestamptz), make_agent_month(timestamptz),
        forget_agent_month(timestamptz) to switchboard_timers;

    -- broadcast: connections, subscriptions and the outbox.
    grant select, insert, update, delete on connections, subscriptions, leases to switchboard_broadcast;
    grant usage on sequence fencing_tokens to switchboard_broadcast;
    grant select, delete on outbox to switchboard_broadcast;
    grant select on calls, events, agents, queues to switchboard_broadcast;
end
$$;
