-- name: queues
-- Creates the queues.
insert into queues (id, name, language)
select 'queue-' || to_char(n, 'FM00'), 'Queue ' || n, (%(languages)s::text[])[n %% %(spoken)s + 1]
from generate_series(0, %(queues)s - 1) n on conflict (id) do nothing

-- name: agents
-- Creates the agents, each with two queues.
insert into agents (id, name, languages, queues, status, status_since)
select 'agent-' || to_char(n, 'FM0000'), 'Agent ' || n,
    array[(%(languages)s::text[])[n %% %(queues)s %% %(spoken)s + 1], 'en'],
    array['queue-' || to_char(n %% %(queues)s, 'FM00'), 'queue-' || to_char((n + 27) %% %(queues)s, 'FM00')],
    'offline', now()
from generate_series(0, %(agents)s - 1) n on conflict (id) do nothing

-- name: calls
-- Creates the archived calls of one hour. Times are whole milliseconds.
-- Every n-th call has events. It has only what its five kinds of events can express. Of the other calls, some were
-- missed by an agent and some were transferred.
insert into calls (
    id, archive_time, version, initiated_at, answered_at, ended_at, settled_at, wait_seconds, duration_seconds,
    hold_seconds, longest_hold_seconds, hold_excess_seconds, attempts, misses, missed_by, transfers, holds, history,
    status, type, queue_id, language, agent_id, end_reason, flags, state
)
select id, begun, 3 + answered::int * 2 + holds, begun, case when answered then over_wait end, over, over, wait,
    case when answered then talk else 0 end, held, held, greatest(held - 60, 0),
    case when answered then 1 + misses else misses end, misses,
    case when misses > 0 then array['agent-' || to_char((queue + 40 * pick + 40) %% 1000, 'FM0000')] end, transfers,
    holds, true, 'ended', type, 'queue-' || to_char(queue, 'FM00'), language, agent, reason,
    array_remove(array[
        case when wait > 30 then 'sla_breached' end, case when held > 60 then 'hold_exceeded' end,
        case when answered and talk < 10 then 'short_call' end, case when misses > 0 then 'rerouted' end
    ], null),
    jsonb_strip_nulls(jsonb_build_object(
        'limits', %(limits)s::jsonb, 'last_at', over, 'rerouted', case when misses > 0 then true end,
        'tried', case when answered then jsonb_build_array(agent) end, 'last_event_id', id || '-5',
        'last_fingerprint', ''
    ))
from (
    select *, begun + make_interval(secs => wait) as over_wait,
        begun + make_interval(secs => wait + case when answered then talk else 0 end) as over,
        case when answered then 'agent-' || to_char((queue + 13 * (fate > 0.7)::int) %% 40 + 40 * pick, 'FM0000') end
            as agent,
        case when answered then 'completed' when fate > 0.9 then 'failed' else 'abandoned' end as reason,
        case when answered and not has_events and extra < 0.03 then 1 else 0 end as misses,
        case when answered and not has_events and extra > 0.98 then 1 else 0 end as transfers,
        case when answered and hold > 0 then 1 else 0 end as holds, case when answered then hold else 0 end as held
    from (
        select to_char(%(hour)s::timestamptz, 'YYYYMMDDHH24-') || to_char(n, 'FM00000') as id,
            n %% %(every)s = 0 as has_events,
            %(hour)s::timestamptz + make_interval(secs => floor(random() * %(seconds)s * 1000) / 1000) as begun,
            floor(40 * random() ^ 1.6)::int as queue, floor(random() * 25)::int as pick, random() as fate,
            random() as extra, case when random() < 0.15 then 'video' else 'voice' end as type,
            random() > 0.06 as answered,
            round((-ln(1 - random()) * 14 + 0.5)::numeric, 3)::float8 as wait,
            round((case when random() < 0.01 then 9 * random() else exp(random_normal(4.9, 0.9)) + 3 end)::numeric, 3
            )::float8 as talk,
            case when random() < 0.12 then ceil(-ln(1 - random()) * 35) else 0 end as hold
        from generate_series(1, %(calls)s) n
    ) drawn
) fated, lateral (
    select case when extra not between 0.5 and 0.53 then (%(languages)s::text[])[queue %% %(spoken)s + 1] end
        as language
) spoken

-- name: events
-- Creates the events of every n-th call of a month.
insert into events (
    at, received_at, version, dated, id, call_id, name, source, state, fingerprint, data
)
select e.at, e.at, e.step, true, c.id || '-' || e.step, c.id, e.name, 'history', 'applied', '', e.data
from (
    select * from calls
    where archive_time >= %(beginning)s and archive_time < %(ending)s and right(id, 5)::int %% %(every)s = 0
) c,
lateral (values
    (1, 'call_initiated', c.initiated_at, true, jsonb_build_object('type', c.type, 'queue_id', c.queue_id,
        'language', c.language, 'limits', %(limits)s::jsonb, 'priority', null)),
    (2, 'call_routed', c.initiated_at + (c.answered_at - c.initiated_at) / 2, c.answered_at is not null,
        jsonb_build_object('agent_id', c.agent_id, 'routing_seconds', c.wait_seconds / 2)),
    (3, 'call_answered', c.answered_at, c.answered_at is not null,
        jsonb_build_object('wait_seconds', c.wait_seconds, 'agent_id', c.agent_id)),
    (4, 'call_hold', c.answered_at + (c.ended_at - c.answered_at) / 2, c.holds > 0,
        jsonb_build_object('hold_seconds', c.hold_seconds)),
    (5, 'call_ended', c.ended_at, true,
        jsonb_build_object('reason', c.end_reason, 'duration_seconds', c.duration_seconds))
) e (step, name, at, happened, data)
where e.happened order by c.id, e.step
