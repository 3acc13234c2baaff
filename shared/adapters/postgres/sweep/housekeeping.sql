-- name: next_due
-- The time at which the next timer is due, after a given time.
select min(due.at) from unnest(%s::text[]) as kinds (kind), lateral (
    select min(due_at) as at from timers where kind = kinds.kind and due_at > %s
) due

-- name: overdue
-- Locks outbox rows that were not published in time, oldest first. Rows that another sweep holds are skipped.
select * from outbox where failed_at is null and next_attempt_at <= %s
order by txid, shard limit %s for update skip locked

-- name: count_attempts
-- Counts an attempt to publish outbox rows, sets the time of the next, and gives up after the last.
update outbox o set attempts = attempts + 1, next_attempt_at = r.at,
    failed_at = case when attempts + 1 >= %s then %s::timestamptz end
from unnest(%s::bigint[], %s::int[], %s::timestamptz[]) as r (txid, shard, at)
where (o.txid, o.shard) = (r.txid, r.shard)
