"""Figures of agent time: from sums, and from intervals at the edges of the range and for those that go on.

The statement is composed for each request, so it stays in Python.
"""

from datetime import timedelta
from typing import Any, LiteralString

from shared.adapters.postgres.figures import agent_time_sums, buckets
from shared.adapters.postgres.figures.rollups import Cover
from shared.domain.figures import AgentTime
from shared.usecases.reading.figures import AgentTimeRow, FigureQuery

LATELY = timedelta(hours=1)  # the edge before the present is at most one row of the hourly sums
FAR = timedelta(days=2)  # no interval ends later, because a wrap-up is shorter. The bound gives the planner a range

# `offset 0` makes Postgres look up each range of time separately.
_ROLLED: LiteralString = f"""
select r.start, nullif(r.agent_id, '') as agent_id, {", ".join(["r." + name for name in agent_time_sums.NAMES])}
from unnest(%(grains)s::text[], %(rolled_from)s::timestamptz[], %(rolled_to)s::timestamptz[])
    as rolled (grain, beginning, ending), lateral (
    select * from agent_rollups r
    where r.grain = rolled.grain and r.start >= rolled.beginning and r.start < rolled.ending
      and (%(agents)s::text[] is null or r.agent_id = any(%(agents)s)) offset 0) r
"""
# Intervals that ended lately are found by their end; earlier ones by agent.
_INTERVALS: LiteralString = f"""
select s.agent_id, s.status, greatest(s.began, %(late)s) as began, least(s.ended, %(until)s) as ended
from agent_intervals s -- `late` equals `until` if there is no such edge
where %(late)s < %(until)s and s.ended > %(late)s and s.ended < %(last)s and s.began < %(until)s
  and s.status <> 'offline' and (%(agents)s::text[] is null or s.agent_id = any(%(agents)s))
union all
select s.agent_id, s.status, greatest(s.began, edge.beginning) as began, least(s.ended, edge.ending) as ended
from unnest(%(edge_from)s::timestamptz[], %(edge_to)s::timestamptz[]) as edge (beginning, ending), agents a,
    lateral {agent_time_sums.overlapping("a.id", "edge.beginning", "edge.ending")} s
where (%(agents)s::text[] is null or a.id = any(%(agents)s)) and s.ended > edge.beginning and s.status <> 'offline'
union all
select s.agent_id, s.status, greatest(s.began, %(start)s), %(until)s
from agent_intervals s
where s.ended is null and s.status <> 'offline' and s.began < %(until)s
  and (%(agents)s::text[] is null or s.agent_id = any(%(agents)s))
"""


def statement(query: FigureQuery) -> LiteralString:
    """The statement for rows by bucket, and by agent if the query groups by agent."""
    key: LiteralString = "agent_id" if "agent" in query.group_by else "null::text"
    totals: LiteralString = ", ".join([f"sum({name})::bigint as {name}" for name in agent_time_sums.NAMES])
    return f"""
        select result.*, {buckets.ending(query, "result.start")} as ends from (
            select start, agent_id, {totals} from (
                select {buckets.begin(query, "rolled.start")} as start, {key} as agent_id,
                    {", ".join(agent_time_sums.NAMES)} from ({_ROLLED}) rolled
                union all
                select bucket, {key}, {agent_time_sums.SUMS} from (
                    select bucket, agent_id, status, round(1000 * extract(epoch from
                        least(s.ended, following) - greatest(s.began, bucket))) as ms
                    from (
                        select agent_id, status, date_trunc('milliseconds', began) as began,
                            date_trunc('milliseconds', ended) as ended from ({_INTERVALS}) whole
                    ) s, lateral ({buckets.touched(query, "s.began", "s.ended")}) touched
                    where s.began < s.ended
                ) piece group by 1, 2
            ) part group by 1, 2
        ) result order by start, agent_id limit %(limit)s
    """


def parameters(query: FigureQuery, cover: Cover, limit: int) -> dict[str, Any]:
    """The edge that ends at the present begins at `late`, unless it is too long."""
    until = min(query.end, query.now)
    late = next((beginning for beginning, ending in cover.edges if ending == until > query.now - LATELY), until)
    late = max(late, until - LATELY)
    edges = [(beginning, min(ending, late)) for beginning, ending in cover.edges if beginning < late]
    return buckets.parameters(query) | {
        "agents": list(query.agents) or None,
        "until": until,
        "late": late,
        "last": query.now + FAR,
        "limit": limit,
        "grains": [grain for grain, _, _ in cover.rolled],
        "rolled_from": [beginning for _, beginning, _ in cover.rolled],
        "rolled_to": [ending for _, _, ending in cover.rolled],
        "edge_from": [beginning for beginning, _ in edges],
        "edge_to": [ending for _, ending in edges],
    }


def time(query: FigureQuery, row: dict[str, Any]) -> AgentTimeRow:
    return AgentTimeRow(
        max(query.start, row["start"]),
        min(query.end, row["ends"]),
        row["agent_id"],
        AgentTime(*map(row.__getitem__, agent_time_sums.NAMES)),
    )
