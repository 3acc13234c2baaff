-- name: add_connection
-- Registers a connection.
insert into connections (id, role, queues, connected_at, expires_at) values (%s, %s, %s, %s, %s)
on conflict (id) do update set (role, queues, connected_at, expires_at) =
    (excluded.role, excluded.queues, excluded.connected_at, excluded.expires_at)

-- name: subscribe
-- Subscribes a connection to topics.
-- The connection is locked first: if it is deleted first, the statement adds nothing instead of failing.
insert into subscriptions (topic, connection_id)
select topic, c.id from unnest(%s::text[]) as wanted (topic), connections c where c.id = %s
for key share of c
on conflict do nothing

-- name: missed_events
-- Reads the events since a position that a subscriber may see.
-- An event matches by the current queue and agent of its call, by the agent that it names, or by the agent who had the
-- call before it.
select e.* from events e join calls c on c.id = e.call_id
where e.txid >= %(since)s and e.state in ('applied', 'void') and c.status is not null
  and (%(all)s or c.queue_id = any(%(permitted)s))
  and (c.queue_id = any(%(queues)s) or c.id = any(%(calls)s)
       or c.agent_id = any(%(agents)s) or c.offered_agent_id = any(%(agents)s)
       or e.data ->> 'agent_id' = any(%(agents)s)
       or %(agents)s::text[] <> '{}' and exists (
           select from (
               select name, data ->> 'agent_id' as agent_id from events p
               where p.call_id = e.call_id and p.position < e.position and p.state = 'applied'
                 and p.received_at >= coalesce(c.recorded_since - interval '1 day', '-infinity')
                 and p.data ->> 'agent_id' is not null
               order by p.position desc limit 1
           ) previous
           where agent_id = any(%(agents)s) and name not in ('call_no_answer', 'answer_timed_out'))
       or (c.queue_id = any(%(alerts)s) and (c.flags <> '{}' or e.state = 'void')))
order by e.position limit %(limit)s

-- name: needs_snapshot
-- Whether a call or an agent may have left the subscribed queues since a position: only a snapshot shows that.
-- A call leaves by a transfer, or when an earlier beginning in another queue becomes known.
select $agent_removed or exists (
    select from events e join calls c on c.id = e.call_id
    where e.txid >= %(since)s and c.queue_id <> all(%(queues)s)
      and (e.name = 'call_transferred' or e.name = 'call_initiated' and exists (
          select from events o where o.call_id = e.call_id and o.name = 'call_initiated' and o.id <> e.id))
      and exists (select from events p where p.call_id = e.call_id and p.version is not null
                  and (p.data ->> 'queue_id' = any(%(queues)s) or p.data ->> 'queue_id' = any(%(alerts)s)
                       or p.data ->> 'agent_id' = any(%(agents)s)))
) as needed
