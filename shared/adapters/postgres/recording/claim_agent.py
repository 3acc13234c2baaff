"""The claim of an agent: one conditional statement, so that two calls never get one agent.

Each strategy walks its own index of `free_agents` in the order of `routing.rank` and takes the first agent whom nobody
else is claiming: a few rows, however many are free.
"""

from typing import LiteralString

from shared.domain.routing import Strategy

_CLAIM: LiteralString = """
update agents
set status = 'offered', status_since = %(at)s, engaged_since = %(at)s, call_id = %(call_id)s, reason = null
where id = ("""
# What the list says may be over by now: the agent's own row, once locked, decides.
_CLAIMED: LiteralString = """
    limit 1 for update of a skip locked
)
returning id
"""
_AGENT: LiteralString = "join agents a on a.id = f.agent_id and a.status = 'available' and %(queue_id)s = any(a.queues)"
_MAY_TAKE: LiteralString = """where f.queue_id = %(queue_id)s and f.agent_id <> all(%(but_for)s::text[])
        and (%(language)s::text is null or %(language)s = any(f.languages))"""
_WALK: LiteralString = f"""
    select a.id from free_agents f {_AGENT}
    {_MAY_TAKE}
    order by """
_LONGEST_IDLE: LiteralString = _CLAIM + _WALK + "f.since, f.agent_id" + _CLAIMED
_MOST_SKILLED: LiteralString = _CLAIM + _WALK + "f.level desc, f.since, f.agent_id" + _CLAIMED
# The least occupied of all is the least occupied of those who began in one step. The steps are found by leaping from
# each to the next: 72 probes where the floor signed in over twelve hours. Eight of each, as others may be claiming too.
_LEAST_OCCUPIED: LiteralString = f"""{_CLAIM}
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
            {_MAY_TAKE} and f.shift_step = steps.shift_step
            order by f.occupied_seconds, f.since, f.agent_id limit 8
        ) f
        order by occupancy, f.since, f.agent_id limit 8
    )
    select a.id from best f {_AGENT} order by f.occupancy, f.since, f.agent_id{_CLAIMED}"""

# Tried in turn: where others are claiming all of the least occupied, the longest idle is asked.
CLAIM_AGENT: dict[Strategy, tuple[LiteralString, ...]] = {
    Strategy.LONGEST_IDLE: (_LONGEST_IDLE,),
    Strategy.MOST_SKILLED: (_MOST_SKILLED,),
    Strategy.LEAST_OCCUPIED: (_LEAST_OCCUPIED, _LONGEST_IDLE),
}
