-- name: new_events
-- Counts events since a position, and finds up to where a batch can read whole transactions.
-- Imported calls move no agents, so it reads more events than the batch can take.
select count(*) as seen, max(txid) as last, count(*) filter (where moves) as moving,
    (array_agg(txid order by txid) filter (where moves))[%(limit)s] as full_at
from (
    select txid, $moves as moves from events e
    where txid >= %(through)s and txid < %(horizon)s order by txid limit %(max_read)s
) new

-- name: new_calls
-- Calls with events, between two positions, that can move agents.
select distinct call_id from events e where txid >= %s and txid < %s and $moves

-- name: new_reports
-- Reports of agents between two positions. Reports that arrived more than a year late are left out.
select $report from agent_events
where txid >= %s and txid < %s and received_at - at < interval '366 days'

-- name: reports_of_agent
-- All reports of an agent that agent time includes.
select $report from agent_events
where agent_id = %s and txid < (select through from agent_time_progress) and received_at - at < interval '366 days'

-- name: timelines
-- The intervals of agents, each from a time on, in order.
select of.since, s.* from unnest(%s::text[], %s::timestamptz[]) as of (agent_id, since), lateral $overlapping s
order by s.agent_id, s.began, s.of_call, s.source, s.step
