-- The statements that claim an agent for a call, one per strategy. Each reads its own index of free_agents in order and
-- takes the first agent that no other transaction is claiming: a few rows, for any number of free agents. free_agents
-- may be out of date, so the agent's own row decides once it is locked.

-- name: longest_idle
-- Offers a call to the agent who has been idle longest.
update agents
set status = 'offered', status_since = %(at)s, engaged_since = %(at)s, call_id = %(call_id)s, reason = null
where id = (
    select a.id
    from free_agents f
    join agents a on a.id = f.agent_id and a.status = 'available' and %(queue_id)s = any(a.queues)
    where f.queue_id = %(queue_id)s and f.agent_id <> all(%(but_for)s::text[])
      and (%(language)s::text is null or %(language)s = any(f.languages))
    order by f.since, f.agent_id
    limit 1 for update of a skip locked
)
returning id

-- name: most_skilled
-- Offers a call to the agent with the highest skill level for the queue; among equals, to the longest idle.
update agents
set status = 'offered', status_since = %(at)s, engaged_since = %(at)s, call_id = %(call_id)s, reason = null
where id = (
    select a.id
    from free_agents f
    join agents a on a.id = f.agent_id and a.status = 'available' and %(queue_id)s = any(a.queues)
    where f.queue_id = %(queue_id)s and f.agent_id <> all(%(but_for)s::text[])
      and (%(language)s::text is null or %(language)s = any(f.languages))
    order by f.level desc, f.since, f.agent_id
    limit 1 for update of a skip locked
)
returning id

-- name: least_occupied
-- Offers a call to the agent with the lowest occupancy of the shift; among equals, to the longest idle.
-- The least occupied agent is the least occupied of those whose shifts began in the same 10 minutes (shift_step). The
-- recursion finds each next step in the index: 72 look-ups if agents signed in over twelve hours. It reads eight agents
-- of each step, because other transactions may be claiming some.
update agents
set status = 'offered', status_since = %(at)s, engaged_since = %(at)s, call_id = %(call_id)s, reason = null
where id = (
    with recursive steps as (
        (select shift_step from free_agents where queue_id = %(queue_id)s order by shift_step limit 1)
        union all
        select next.shift_step from steps, lateral (
            select shift_step from free_agents f
            where f.queue_id = %(queue_id)s and f.shift_step > steps.shift_step order by f.shift_step limit 1
        ) next
    ), best as (
        select f.agent_id, f.since, f.occupied_seconds
            / greatest(date_part('epoch', %(at)s::timestamptz - f.shift_step), 1) as occupancy
        from steps, lateral (
            select * from free_agents f
            where f.queue_id = %(queue_id)s and f.agent_id <> all(%(but_for)s::text[])
              and (%(language)s::text is null or %(language)s = any(f.languages))
              and f.shift_step = steps.shift_step
            order by f.occupied_seconds, f.since, f.agent_id limit 8
        ) f
        order by occupancy, f.since, f.agent_id limit 8
    )
    select a.id
    from best f
    join agents a on a.id = f.agent_id and a.status = 'available' and %(queue_id)s = any(a.queues)
    order by f.occupancy, f.since, f.agent_id
    limit 1 for update of a skip locked
)
returning id
