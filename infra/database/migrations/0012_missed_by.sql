-- Figures by agent name who missed a call: an entry a miss, null where nobody did.
alter table calls add column missed_by text[];

create or replace function index_calls(month text) returns void language plpgsql as $$
declare
    served record;
begin
    for served in
        select * from (values
            ('newest', '(initiated_at, id)', 'true'), -- no filter, a range of time, or one that most calls pass
            ('queue', '(queue_id, initiated_at, id)', 'true'),
            ('agent', '(coalesce(agent_id, offered_agent_id, ''-''), initiated_at, id)', 'true'),
            ('language', '(coalesce(language, ''-''), initiated_at, id)', 'true'),
            ('end_reason', '(end_reason, initiated_at, id)', 'end_reason <> ''completed'''),
            ('video', '(initiated_at, id)', 'type = ''video'''),
            ('breached', '(initiated_at, id)', '''sla_breached'' = any(flags)'),
            ('hold_exceeded', '(initiated_at, id)', '''hold_exceeded'' = any(flags)'),
            ('short', '(initiated_at, id)', '''short_call'' = any(flags)'),
            ('rerouted', '(initiated_at, id)', '''rerouted'' = any(flags)'),
            ('missed', '(initiated_at, id)', 'misses > 0'),
            ('missed_by', 'using gin (missed_by)', 'misses > 0'), -- an agent's: few, so that they need no order
            ('held', '(initiated_at, id)', 'holds > 0'),
            ('transferred', '(initiated_at, id)', 'transfers > 0'),
            ('unanswered', '(initiated_at, id)', 'answered_at is null'),
            ('unwaited', '(initiated_at, id)', 'wait_seconds is null'),
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
do $$
declare
    month record;
begin
    for month in
        select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'calls'::regclass and c.relname <> 'calls_live'
    loop
        execute format('create index %I on %I using gin (missed_by) where misses > 0', month.name || '_by_missed_by',
                       month.name);
    end loop;
end
$$;
