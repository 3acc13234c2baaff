"""Figures: from sums, and from calls at the edges of the range and for calls that are not archived yet.

The statements are composed for each request, so they stay in Python.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import gcd
from typing import Any, LiteralString

from psycopg import errors
from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.figures import agent_figures, buckets, rollups
from shared.adapters.postgres.figures.call_figures import COLUMNS, SUMS, of_calls
from shared.contracts.figures import Gauges
from shared.contracts.problems import refuse
from shared.domain.agent import AgentStatus
from shared.domain.figures import COUNTED, Tally
from shared.usecases.reading.figures import AgentTimeRow, FigureQuery, FigureRow

_KEYS: Mapping[str, LiteralString] = {
    "queue": "queue_id", "agent": "agent_id", "language": "language", "type": "type",
}  # fmt: skip
_OF_CALLS: LiteralString = """
    and (%(queues)s::text[] is null or call.queue_id = any(%(queues)s))
    and (%(languages)s::text[] is null or coalesce(call.language, '-') = any(%(languages)s))
    and (%(types)s::text[] is null or call.type = any(%(types)s))
"""
_OF_AGENT: LiteralString = (
    _OF_CALLS + " and (%(agents)s::text[] is null or coalesce(call.agent_id, '-') = any(%(agents)s))"
)
# An offered call belongs to the agent whose phone rings, as in the list of calls.
_NOW_OF_AGENT: LiteralString = (
    _OF_CALLS
    + " and (%(agents)s::text[] is null or coalesce(call.agent_id, call.offered_agent_id, '-') = any(%(agents)s))"
)
_GAUGES = """
select count(*) filter (where call.status = 'waiting') as waiting,
    -- a sender's clock may be ahead
    greatest(max(extract(epoch from
        %(now)s - coalesce((call.state->>'transferred_at')::timestamptz, call.initiated_at)))
        filter (where call.status = 'waiting'), 0)::float as longest_current_wait,
    count(*) filter (where call.status = 'active') as active,
    count(*) filter (where call.status = 'on_hold') as on_hold
from calls_live call where call.ended_at is null and call.initiated_at is not null
"""
# Minutes at which the days of a range begin. Sampled every 30 days, because Lord Howe Island changes by half an hour.
_MINUTES = """
select distinct extract(minute from date_trunc('day', moment, %(zone)s))::int as past_the_hour
from (select generate_series(%(start)s::timestamptz, %(end)s, '30 days') union select %(end)s) sampled (moment)
"""
_AGENTS = """
select status, count(*) from agents where %(queues)s::text[] is null or queues && %(queues)s group by status
"""


class PostgresFigures:
    """Reads figures. With `rolled` False it counts every call, to check the sums."""

    def __init__(self, database: Database, *, rolled: bool = True) -> None:
        self._database, self._rolled = database, rolled

    def day_begin(self, now: datetime, zone: str) -> datetime:
        if zone == "UTC":
            return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begin: LiteralString = "select " + buckets.day(zone, "%(now)s::timestamptz") + " as begin"
        return self._rows(begin, {"now": now, "zone": buckets.zone(zone)})[0]["begin"]

    def groups(self, query: FigureQuery, limit: int) -> list[FigureRow]:
        if not query.bucket and not query.group_by:
            limit = 1
        cover = self._cover(query)
        rows = self._rows(_statement(query, cover), _parameters(query) | cover | {"limit": limit})
        if not rows and not query.bucket and not query.group_by:
            return [FigureRow(query.start, query.end, {}, Tally())]
        groups = [_group(query, row) for row in rows]
        return self._missed_once(query, groups) if len(query.agents) > 1 and "agent" not in query.group_by else groups

    def _missed_once(self, query: FigureQuery, groups: list[FigureRow]) -> list[FigureRow]:
        """Count a call that several of these agents missed once. Their sums contain it several times."""
        rows = self._rows(_missed_by_any(query), _parameters(query))
        counted = {(_bucket(query, row), *(row[_KEYS[name]] for name in query.group_by)): row["missed"] for row in rows}
        missed = (counted.get((group.start, *group.keys.values()), 0) for group in groups)
        return [replace(g, tally=replace(g.tally, missed=n)) for g, n in zip(groups, missed, strict=True)]

    def times(self, query: FigureQuery, limit: int) -> list[AgentTimeRow]:
        """Agent time up to the present: the sums of a range that has not passed are incomplete."""
        passed = replace(query, end=max(min(query.end, query.now), query.start))
        parameters = agent_figures.parameters(query, self._covered(passed), limit)
        return [agent_figures.time(query, row) for row in self._rows(agent_figures.statement(query), parameters)]

    def _covered(self, query: FigureQuery) -> rollups.Cover:
        grains = rollups.grains(
            query.bucket,
            by_agent=query.by_agent,
            utc=query.zone == "UTC",
            minutes=self._days_begin(query),
        )
        return rollups.cover(query.start, query.end, grains if self._rolled else [])

    def _days_begin(self, query: FigureQuery) -> int:
        """Days of the range begin at a multiple of this many minutes after a full hour."""
        if query.zone == "UTC":
            return 60
        return gcd(60, *(row["past_the_hour"] for row in self._rows(_MINUTES, buckets.parameters(query))))

    def _cover(self, query: FigureQuery) -> dict[str, Any]:
        cover = self._covered(query)
        fewer = rollups.FEWER if query.of_all_calls else {}
        return {
            "grains": [fewer.get(grain, grain) for grain, _, _ in cover.rolled],
            "rolled_from": [beginning for _, beginning, _ in cover.rolled],
            "rolled_to": [ending for _, _, ending in cover.rolled],
            "edge_from": [beginning for beginning, _ in cover.edges],
            "edge_to": [ending for _, ending in cover.edges],
        }

    def gauges(self, query: FigureQuery, now: datetime) -> Gauges:
        parameters = _parameters(query) | {"now": now}
        counted = dict.fromkeys(AgentStatus, 0)
        counted |= {row["status"]: row["count"] for row in self._rows(_AGENTS, parameters)}
        return Gauges.trusted(agents=counted, **self._rows(_GAUGES + _NOW_OF_AGENT, parameters)[0])

    def _rows(self, query: LiteralString, parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - psycopg's own
        connection = self._database.connection()
        try:
            with available(), connection.cursor(row_factory=dict_row, binary=True) as cursor:
                return cursor.execute(query, parameters).fetchall()
        except errors.InvalidParameterValue:
            raise refuse(400, "Not valid: zone", ("zone", "is not a time zone known here")) from None


def _statement(query: FigureQuery, cover: Mapping[str, Any]) -> LiteralString:
    keys: list[LiteralString] = [_KEYS[name] for name in query.group_by]
    begin: LiteralString = buckets.begin(query, "call.start")
    grouped: LiteralString = ", ".join(["1", *keys])
    selected: LiteralString = ", ".join([begin + " as start", *keys, SUMS])
    parts: LiteralString = (
        "select " + selected + " from (" + _counted(cover, by_agent=query.by_agent) + ") call where true" + _OF_AGENT
    )
    parts += (" group by " + grouped) if query.bucket or keys else " having count(*) > 0"
    ordered: LiteralString = ", ".join(["part.start", *("part." + key + ' collate "C" nulls last' for key in keys)])
    ends: LiteralString = buckets.ending(query, "part.start") + " as ends"
    return "select part.*, " + ends + " from (" + parts + ") part order by " + ordered + " limit %(limit)s"


def _counted(cover: Mapping[str, Any], *, by_agent: bool) -> LiteralString:
    """Every call once: in a sum, at an edge, or live. Parts that the range does not have are left out.

    `offset 0` makes Postgres look up each range separately. Otherwise a planner that does not know the bounds may read
    the whole table.
    """
    parts: list[LiteralString] = [_rolled()] if cover["grains"] else []
    if cover["edge_from"]:
        parts.append(_at_edges(by_agent=by_agent))
    parts.append(of_calls("calls_live", "c.initiated_at >= %(start)s and c.initiated_at < %(end)s", by_agent=by_agent))
    united: LiteralString = " union all ".join(parts)
    return united


def _rolled() -> LiteralString:
    return (
        "select found.* from unnest(%(grains)s::text[], %(rolled_from)s::timestamptz[], %(rolled_to)s::timestamptz[]) "
        "as rolled (grain, beginning, ending), lateral ("
        "select r.start, r.queue_id, nullif(r.language, '-') as language, r.type, "
        "nullif(r.agent_id, '-') as agent_id, " + COLUMNS + " from call_rollups r "
        "where r.grain = rolled.grain and r.start >= rolled.beginning and r.start < rolled.ending offset 0) found"
    )


def _at_edges(*, by_agent: bool) -> LiteralString:
    at_edge: LiteralString = of_calls(
        "calls",
        "c.archive_time >= edge.beginning and c.archive_time < edge.ending and c.archive_time < 'infinity' "
        "and c.initiated_at >= edge.beginning and c.initiated_at < edge.ending",
        by_agent=by_agent,
    )
    return (
        "select found.* "
        "from unnest(%(edge_from)s::timestamptz[], %(edge_to)s::timestamptz[]) as edge (beginning, ending), lateral ("
        + at_edge
        + " offset 0) found"
    )


def _missed_by_any(query: FigureQuery) -> LiteralString:
    keys: list[LiteralString] = [_KEYS[name] for name in query.group_by]
    selected: LiteralString = ", ".join([buckets.begin(query, "call.start") + " as start", *keys, "count(*) as missed"])
    return (
        "select " + selected + """ from (select *, initiated_at as start from calls) call
        where call.missed_by && %(agents)s and call.misses > 0
          and call.initiated_at >= %(start)s and call.initiated_at < %(end)s
          and (call.archive_time >= %(start)s and call.archive_time < %(end)s or call.archive_time = 'infinity')"""
        + _OF_CALLS + " group by " + ", ".join(["1", *keys])
    )  # fmt: skip


def _parameters(query: FigureQuery) -> dict[str, Any]:
    return buckets.parameters(query) | {
        "queues": None if query.queues is None else list(query.queues),
        "agents": list(query.agents) or None,
        "languages": list(query.languages) or None,
        "types": list(query.types) or None,
    }


def _bucket(query: FigureQuery, row: dict[str, Any]) -> datetime:
    return max(query.start, row["start"])


def _group(query: FigureQuery, row: dict[str, Any]) -> FigureRow:
    keys = {name: row[_KEYS[name]] for name in query.group_by}
    return FigureRow(_bucket(query, row), min(query.end, row["ends"]), keys, Tally(*map(row.__getitem__, COUNTED)))
