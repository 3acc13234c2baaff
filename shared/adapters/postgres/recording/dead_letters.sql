-- name: dead_letters
-- All dead letters: events that never became valid, and outbox rows that were not published.
-- Events of a call that was dropped are left out: they cannot be redriven, and are dropped with their month of the log.
select * from (
    select 'event' as kind, e.id as letter_id, e.failed_at as given_up_at, e.attempts as tries, e.reason as why, e.*,
        coalesce(c.queue_id, e.data ->> 'queue_id') as letter_queue_id, null::text[] as letter_agents
    from events e join calls c on c.id = e.call_id
    where e.state = 'dead'
    union all
    select 'announcement', coalesce(e.id, 'transaction-' || o.txid), o.failed_at, o.attempts,
        'Not published: no relay took it.', e.*, c.queue_id, o.agents
    from outbox o
    left join events e on e.txid = o.txid and e.call_id = any(o.calls) and e.state in ('applied', 'void')
    left join calls c on c.id = e.call_id
    where o.failed_at is not null
) letters

-- name: page
-- Lists dead letters, newest first, from a given letter on.
$dead_letters
where (%(queues)s::text[] is null or letter_queue_id = any(%(queues)s))
  and (%(after_time)s::timestamptz is null
       or (given_up_at, kind, letter_id) < (%(after_time)s, %(after_kind)s, %(after_id)s))
order by given_up_at desc, kind desc, letter_id desc limit %(limit)s

-- name: by_id
-- Finds dead letters by their ids, oldest first.
select kind, letter_id, call_id from ($dead_letters) named
where letter_id = any(%s) order by given_up_at, letter_id

-- name: oldest
-- Lists the oldest dead letters from before a time.
select kind, letter_id, call_id from ($dead_letters) oldest
where given_up_at < %s order by given_up_at, letter_id limit %s

-- name: outbox_rows
-- Finds the failed outbox rows behind dead letters.
select distinct o.txid, o.shard
from outbox o
left join events e on e.txid = o.txid and e.call_id = any(o.calls) and e.state in ('applied', 'void')
where o.failed_at is not null and coalesce(e.id, 'transaction-' || o.txid) = any(%s)

-- name: requeue
-- Publishes a failed outbox row again. Run in a transaction of its own.
-- The row and its events get a new position: a feed that has passed the old one must see the events again.
with requeued as (
    update outbox set failed_at = null, attempts = 0, next_attempt_at = %s, txid = this_position()
    where txid = %s and shard = %s and failed_at is not null
    returning calls
), moved as (
    update events e set txid = this_position() from requeued
    where e.txid = %s and e.call_id = any(requeued.calls) and e.state in ('applied', 'void')
    returning e.id
)
select id from moved union all select 'transaction-' || %s from requeued where not exists (select from moved)
