"""Figures counted from calls."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from psycopg import errors
from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database, available
from shared.contracts.metrics import Gauges
from shared.contracts.problems import refuse
from shared.domain.agents import AgentStatus
from shared.domain.metrics import COUNTED, Tally
from shared.usecases.metrics import Group, Span

# What one call adds to each figure: the one definition, for calls and for rollups. In time is what is not flagged.
CONTRIBUTIONS: LiteralString = """
    c.initiated_at as start, c.queue_id, c.language, c.type, coalesce(c.agent_id, c.offered_agent_id) as agent_id,
    1 as offered,
    (c.answered_at is not null)::int as answered,
    (c.answered_at is not null and not 'sla_breached' = any(c.flags))::int as answered_in_time,
    (c.answered_at is null and c.end_reason = 'abandoned')::int as abandoned,
    (c.answered_at is null and c.end_reason = 'abandoned' and not 'sla_breached' = any(c.flags))::int as short_abandons,
    (c.answered_at is null and c.end_reason = 'failed')::int as failed,
    ('sla_breached' = any(c.flags))::int as sla_breached,
    (c.wait_seconds is not null)::int as waited,
    round(c.wait_seconds * 1000)::bigint as wait_ms,
    case when c.answered_at is not null then round(c.wait_seconds * 1000)::bigint end as answered_wait_ms,
    round(c.wait_seconds * 1000)::bigint as longest_wait_ms,
    (c.answered_at is not null and c.ended_at is not null)::int as handled,
    case when c.answered_at is not null and c.ended_at is not null
        then round(greatest(c.duration_seconds - c.hold_seconds, 0) * 1000)::bigint end as talk_ms,
    case when c.answered_at is not null and c.ended_at is not null
        then round(c.hold_seconds * 1000)::bigint end as hold_ms,
    0 as acw_ms,
    c.misses,
    least(c.misses, 1) as missed,
    c.transfers,
    least(c.transfers, 1) as transferred,
    c.holds,
    least(c.holds, 1) as held,
    ('hold_exceeded' = any(c.flags))::int as hold_exceeded,
    round(c.hold_excess_seconds * 1000)::bigint as hold_excess_ms,
    ('short_call' = any(c.flags))::int as short_calls
"""
SUMS: LiteralString = """
    sum(offered)::bigint as offered, sum(answered)::bigint as answered,
    sum(answered_in_time)::bigint as answered_in_time, sum(abandoned)::bigint as abandoned,
    sum(short_abandons)::bigint as short_abandons, sum(failed)::bigint as failed,
    sum(sla_breached)::bigint as sla_breached, sum(waited)::bigint as waited, sum(wait_ms)::bigint as wait_ms,
    sum(answered_wait_ms)::bigint as answered_wait_ms, max(longest_wait_ms)::bigint as longest_wait_ms,
    sum(handled)::bigint as handled, sum(talk_ms)::bigint as talk_ms, sum(hold_ms)::bigint as hold_ms,
    sum(acw_ms)::bigint as acw_ms, sum(misses)::bigint as misses, sum(missed)::bigint as missed,
    sum(transfers)::bigint as transfers, sum(transferred)::bigint as transferred, sum(holds)::bigint as holds,
    sum(held)::bigint as held, sum(hold_exceeded)::bigint as hold_exceeded,
    sum(hold_excess_ms)::bigint as hold_excess_ms, sum(short_calls)::bigint as short_calls
"""
_KEYS: Mapping[str, LiteralString] = {
    "queue": "queue_id", "agent": "agent_id", "language": "language", "type": "type",
}  # fmt: skip
_WIDTHS: Mapping[str, LiteralString] = {"5m": "5 minutes", "15m": "15 minutes", "30m": "30 minutes", "1h": "1 hour"}
_NARROWED: LiteralString = """
    and (%(queues)s::text[] is null or c.queue_id = any(%(queues)s))
    and (%(languages)s::text[] is null or coalesce(c.language, '-') = any(%(languages)s))
    and (%(types)s::text[] is null or c.type = any(%(types)s))
"""
_ENDS: LiteralString = """
    case when %(bucket)s::text is null then %(end)s::timestamptz
         else least((part.start at time zone %(zone)s + %(width)s::interval) at time zone %(zone)s, %(end)s) end
"""
_GAUGES = """
select count(*) filter (where c.status = 'waiting') as waiting,
    coalesce(max(extract(epoch from %(now)s - case
        when c.answered_at is null then c.initiated_at else (c.state->>'last_at')::timestamptz end))
        filter (where c.status = 'waiting'), 0)::float as longest_current_wait,
    count(*) filter (where c.status = 'active') as active,
    count(*) filter (where c.status = 'on_hold') as on_hold
from calls c where c.ended_at is null and c.initiated_at is not null
"""
_AGENTS = """
select status, count(*) from agents where %(queues)s::text[] is null or queues && %(queues)s group by status
"""


class PostgresFigures:
    def __init__(self, database: Database) -> None:
        self._database = database

    def day_begin(self, now: datetime, zone: str) -> datetime:
        return self._rows("select date_trunc('day', %s::timestamptz, %s) as begin", [now, _zone(zone)])[0]["begin"]

    def groups(self, span: Span, limit: int) -> list[Group]:
        if not span.bucket and not span.group_by:
            limit = 1
        rows = self._rows(_statement(span), _parameters(span) | {"limit": limit})
        if not rows and not span.bucket and not span.group_by:
            return [Group(span.start, span.end, {}, Tally())]
        return [_group(span, row) for row in rows]

    def gauges(self, span: Span, now: datetime) -> Gauges:
        parameters = _parameters(span) | {"now": now}
        counted = dict.fromkeys(AgentStatus, 0)
        counted |= {row["status"]: row["count"] for row in self._rows(_AGENTS, parameters)}
        return Gauges.trusted(agents=counted, **self._rows(_GAUGES + _NARROWED, parameters)[0])

    def _rows(self, query: LiteralString, parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - psycopg's own
        connection = self._database.connection()
        try:
            with available(), connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()
        except errors.InvalidParameterValue:
            raise refuse(400, "Not valid: zone", ("zone", "is not a time zone known here")) from None


def _statement(span: Span) -> LiteralString:
    keys: list[LiteralString] = [_KEYS[name] for name in span.group_by]
    begin: LiteralString = _begin(span)
    grouped: LiteralString = ", ".join(["1", *keys])
    selected: LiteralString = ", ".join([begin + " as start", *keys, SUMS])
    counted: LiteralString = "select " + CONTRIBUTIONS + " from calls c where c.initiated_at >= %(start)s "
    counted += "and c.initiated_at < %(end)s and c.initiated_at is not null" + _NARROWED
    agents: LiteralString = " where %(agents)s::text[] is null or coalesce(agent_id, '-') = any(%(agents)s)"
    parts: LiteralString = "select " + selected + " from (" + counted + ") call" + agents
    parts += (" group by " + grouped) if span.bucket or keys else " having count(*) > 0"
    ordered: LiteralString = ", ".join(["part.start", *("part." + key + " nulls last" for key in keys)])
    return "select part.*, " + _ENDS + " as ends from (" + parts + ") part order by " + ordered + " limit %(limit)s"


def _begin(span: Span) -> LiteralString:
    if span.bucket is None:
        return "%(start)s::timestamptz"
    day: LiteralString = "date_trunc('day', call.start, %(zone)s)"
    return day if span.bucket == "1d" else "date_bin(%(width)s::interval, call.start, " + day + ")"


def _parameters(span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "bucket": span.bucket,
        "width": "1 day" if span.bucket == "1d" else _WIDTHS.get(span.bucket or ""),
        "zone": _zone(span.zone),
        "queues": None if span.queues is None else list(span.queues),
        "agents": list(span.agents) or None,
        "languages": list(span.languages) or None,
        "types": list(span.types) or None,
    }


def _zone(name: str) -> str:
    """An offset as POSIX has it, which Postgres goes by: there, east is negative."""
    if name[0] not in "+-":
        return name
    return f"<{name}>{'-' if name[0] == '+' else '+'}{name[1:]}"


def _group(span: Span, row: dict[str, Any]) -> Group:
    start = max(row["start"], span.start)
    keys = {name: row[_KEYS[name]] for name in span.group_by}
    return Group(start, row["ends"], keys, Tally(**{name: row[name] or 0 for name in COUNTED}))
