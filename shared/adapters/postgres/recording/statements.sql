-- name: recorded_since
-- The earliest time at which an event of some live calls was received.
-- Minus a day, because the clocks of functions differ.
select min(coalesce(recorded_since - interval '1 day', '-infinity'))
from calls_live
where id = any(%(calls)s::text[])

-- name: known_events
-- Finds which event ids were used before: by these calls, or lately by any call.
-- It reads only the months in which these calls can have events, so the number of months does not matter. It also reads
-- events whose month has no partition, because their ids would conflict.
select id, call_id, fingerprint from events
where id = any(%(ids)s::text[]) and received_at >= least(%(since)s, ($recorded_since))
union all
select id, call_id, fingerprint from events_other where id = any(%(ids)s::text[])

-- name: logs
-- Reads all events of some live calls in order of arrival.
select * from events where call_id = any(%(calls)s::text[]) and received_at >= ($recorded_since) order by position

-- name: due_timers
-- Finds and locks calls whose timers are due, earliest first, up to a limit per kind, so that many timers of one kind do
-- not delay the others.
-- It locks the call instead of the timer, like all transactions do. Calls that another transaction holds are skipped:
-- that transaction updates their timers too.
select due.* from unnest(%(kinds)s::text[]) as kinds (kind), lateral (
    select t.call_id, t.kind from timers t join calls_live c on c.id = t.call_id
    where t.kind = kinds.kind and t.due_at <= %(now)s
    order by t.due_at limit %(limit)s
    for update of c skip locked
) due

-- name: waiting_calls
-- Finds and locks waiting calls that Switchboard must offer and that a free agent can take, in the order of their queue.
-- The first is the call that has waited longest, where each step of priority adds the queue's aging_seconds. Time does
-- not change that order. The index has a line of calls for each queue, agents sought, language and priority. The
-- recursion finds each next line of a queue; the first calls of each line are read, with some to spare, because other
-- transactions may hold them. Lines that no free agent can serve are not read.
select c.id
from (
    select head.id, head.initiated_at
        - make_interval(secs => coalesce(nullif(line.priority, -1), q.priority) * q.aging_seconds) as place
    from queues q, lateral (
        with recursive lines (seeks, language, priority) as (
            (select $line from calls_live where seeks is not null and queue_id = q.id
            order by queue_id, $line limit 1)
            union all
            select next.* from lines l, lateral (
                select $line from calls_live
                where seeks is not null and queue_id = q.id and ($line) > (l.seeks, l.language, l.priority)
                order by queue_id, $line limit 1
            ) next
        )
        select lines.*, case
            when exists (
                select from free_agents f where f.queue_id = q.id and (language = '' or language = any(f.languages))
            ) then 'infinity'
            when seeks = 'any' and exists (
                select from free_agents f
                where f.queue_id = q.overflow_queue_id and (language = '' or language = any(f.languages))
            ) then %(now)s - make_interval(secs => q.overflow_seconds)
        end as began_by
        from lines
    ) line, lateral (
        select id, initiated_at from calls_live
        where seeks is not null and queue_id = q.id and ($line) = (line.seeks, line.language, line.priority)
          and initiated_at <= line.began_by
        order by initiated_at, id limit %(limit)s + 20
    ) head
    where (%(queues)s::text[] is null or q.id = any(%(queues)s) or q.overflow_queue_id = any(%(queues)s))
      and exists (select from free_agents f where f.queue_id in (q.id, q.overflow_queue_id))
    order by place, head.id limit %(limit)s + 20
) head join calls_live c on c.id = head.id and c.seeks is not null
order by head.place, c.id limit %(limit)s
for update of c skip locked
