-- What readers look for in a month of the shelf: an index for each filter and each order of GET /api/calls. Nobody waits
-- for these: a call comes here once.
create or replace function index_calls(month text) returns void language plpgsql as $$
declare
    served record;
begin
    for served in
        select * from (values
            ('newest', '(initiated_at, id)', 'true'), -- no filter, a range of time, or one that most calls pass
            ('queue', '(queue_id, initiated_at, id)', 'true'),
            ('agent', '(agent_id, initiated_at, id)', 'agent_id is not null'),
            ('language', '(language, initiated_at, id)', 'language is not null'),
            ('end_reason', '(end_reason, initiated_at, id)', 'end_reason <> ''completed'''),
            ('video', '(initiated_at, id)', 'type = ''video'''),
            ('breached', '(initiated_at, id)', '''sla_breached'' = any(flags)'),
            ('hold_exceeded', '(initiated_at, id)', '''hold_exceeded'' = any(flags)'),
            ('short', '(initiated_at, id)', '''short_call'' = any(flags)'),
            ('rerouted', '(initiated_at, id)', '''rerouted'' = any(flags)'),
            ('missed', '(initiated_at, id)', 'misses > 0'),
            ('held', '(initiated_at, id)', 'holds > 0'),
            ('transferred', '(initiated_at, id)', 'transfers > 0'),
            ('wait', '(wait_seconds, id)', 'wait_seconds is not null'),
            ('duration', '(duration_seconds, id)', 'duration_seconds is not null'),
            ('begins', '(id collate "C")', 'true') -- how an id begins
        ) as indexes (name, columns, condition)
    loop
        execute format('create index %I on %I %s where %s', month || '_by_' || served.name, month, served.columns,
                       served.condition);
    end loop;
end
$$;

-- Sums of what is on the shelf, so that a month's figures need not count its calls: `calls_live` is counted beside them.
-- Changed in the transaction that shelves a call or takes it back, and rebuilt from the calls by one command.
-- `grain` says how wide a row is and whether it is one agent's; what is not known is '-', what is not told apart ''.
create table call_rollups (
    grain text not null check (grain in ('5m', '1h', '1d', '1h agent', '1d agent')),
    start timestamptz not null,
    queue_id text not null,
    language text not null,
    type text not null,
    agent_id text not null,
    offered bigint not null, answered bigint not null, answered_in_time bigint not null, abandoned bigint not null,
    short_abandons bigint not null, failed bigint not null, sla_breached bigint not null, waited bigint not null,
    wait_ms bigint not null, answered_wait_ms bigint not null, longest_wait_ms bigint not null, handled bigint not null,
    talk_ms bigint not null, hold_ms bigint not null, acw_ms bigint not null, misses bigint not null,
    missed bigint not null, transfers bigint not null, transferred bigint not null, holds bigint not null,
    held bigint not null, hold_exceeded bigint not null, hold_excess_ms bigint not null, short_calls bigint not null,
    primary key (grain, start, queue_id, language, type, agent_id) -- GET /api/metrics: a grain, a range of time
);

do $$
declare
    month record;
begin
    for month in
        select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'calls'::regclass and c.relname <> 'calls_live'
    loop
        perform index_calls(month.name);
    end loop;
end
$$;
