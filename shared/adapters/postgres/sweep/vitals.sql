-- name: unfollowed
-- How many events agent time does not include yet, counted up to 20,000.
-- Ordered like the index: a planner that does not know how few are new may read the whole log otherwise.
select count(*) from (
    select from events where txid >= (select through from agent_time_progress) order by txid limit 20000
) new

-- name: vitals
-- The state of the system: functions that are alive, unpublished and late work, dead letters.
select
    (select count(*) from heartbeats where name = 'sweep' and alive_until > now()) as sweeps,
    (select count(*) from leases where expires_at > now()) as relays,
    (select count(*) from outbox where failed_at is null) as outbox_entries,
    (select coalesce(extract(epoch from now() - min(received_at)), 0)::float8 from events
     where txid = (select min(txid) from outbox where failed_at is null)) as outbox_age,
    (select coalesce(extract(epoch from now() - min(due_at)), 0)::float8 from timers
     where due_at < now()) as timers_late,
    (select count(*) from ($dead_letters) listed) as dead_letters,
    ($unfollowed) as agent_time_lag,
    (select count(*) from connections where expires_at > now()) as connections
