"""The figures of a call in SQL: one definition for calls and for the stored sums."""

from collections.abc import Mapping
from typing import LiteralString

# What one call adds to each figure of `Tally`. A call without the flag sla_breached was answered in time.
_CONTRIBUTIONS: Mapping[LiteralString, LiteralString] = {
    "offered": "1",
    "answered": "(c.answered_at is not null)::int",
    "answered_in_time": "(c.answered_at is not null and not 'sla_breached' = any(c.flags))::int",
    "abandoned": "coalesce(c.answered_at is null and c.end_reason = 'abandoned', false)::int",
    "short_abandons": "coalesce(c.answered_at is null and c.end_reason = 'abandoned' "
    "and not 'sla_breached' = any(c.flags), false)::int",
    "failed": "coalesce(c.answered_at is null and c.end_reason = 'failed', false)::int",
    "sla_breached": "('sla_breached' = any(c.flags))::int",
    "waited": "(c.wait_seconds is not null)::int",
    "wait_ms": "coalesce(round(c.wait_seconds * 1000), 0)::bigint",
    "answered_wait_ms": "case when c.answered_at is null then 0 "
    "else coalesce(round(c.wait_seconds * 1000), 0)::bigint end",
    "longest_wait_ms": "coalesce(round(c.wait_seconds * 1000), 0)::bigint",
    "handled": "(c.answered_at is not null and c.ended_at is not null)::int",
    "talk_ms": "case when c.answered_at is null or c.ended_at is null then 0 "
    "else round(greatest(c.duration_seconds - c.hold_seconds, 0) * 1000)::bigint end",
    "hold_ms": "case when c.answered_at is null or c.ended_at is null then 0 "
    "else round(c.hold_seconds * 1000)::bigint end",
    "acw_ms": "0",  # not used: after-call work is part of agent time
    "misses": "c.misses",
    "missed": "least(c.misses, 1)",
    "transfers": "c.transfers",
    "transferred": "least(c.transfers, 1)",
    "holds": "c.holds",
    "held": "least(c.holds, 1)",
    "hold_exceeded": "('hold_exceeded' = any(c.flags))::int",
    "hold_excess_ms": "round(c.hold_excess_seconds * 1000)::bigint",
    "short_calls": "('short_call' = any(c.flags))::int",
}
_NAMES: list[LiteralString] = list(_CONTRIBUTIONS)
_ZERO: LiteralString = "0"
_MAXIMA: list[LiteralString] = ["longest_wait_ms"]

SUMS: LiteralString = ", ".join(
    [("max(" if name in _MAXIMA else "sum(") + name + ")::bigint as " + name for name in _NAMES]
)
COLUMNS: LiteralString = ", ".join(["r." + name for name in _NAMES])
# Adds a row of sums to the row with the same key.
ADDED: LiteralString = ", ".join(
    [
        name + " = greatest(r." + name + ", excluded." + name + ")"
        if name in _MAXIMA
        else name + " = r." + name + " + excluded." + name
        for name in _NAMES
    ]
)
SUBTRACTED: LiteralString = ", ".join(
    [name + " = r." + name + " - old." + name for name in _NAMES if name not in _MAXIMA]
)

_MISSED_BY: LiteralString = """cross join lateral (
    select agent_id, count(*) as misses from unnest(c.missed_by) agent_id group by 1
) missed"""


def of_calls(source: LiteralString, which: LiteralString, *, by_agent: bool) -> LiteralString:
    """One row per call with what it adds to the figures. With `by_agent`, one more row for each agent who missed it.

    `source` is the table of the calls `c`, and `which` a condition on them.
    """
    if not by_agent:
        return _selected("null::text", _CONTRIBUTIONS, source + " c", which)
    answered: Mapping[LiteralString, LiteralString] = {**_CONTRIBUTIONS, "misses": "0", "missed": "0"}
    missed: Mapping[LiteralString, LiteralString] = {
        **dict.fromkeys(_NAMES, _ZERO),
        "misses": "missed.misses",
        "missed": "1",
    }
    return (
        _selected("coalesce(c.agent_id, c.offered_agent_id)", answered, source + " c", which)
        + " union all "
        + _selected("missed.agent_id", missed, source + " c " + _MISSED_BY, "c.misses > 0 and " + which)
    )


def _selected(
    agent: LiteralString,
    figures: Mapping[LiteralString, LiteralString],
    source: LiteralString,
    which: LiteralString,
) -> LiteralString:
    columns: list[LiteralString] = [figures[name] + " as " + name for name in _NAMES]
    keys: LiteralString = "select c.initiated_at as start, c.queue_id, c.language, c.type, " + agent + " as agent_id, "
    return keys + ", ".join(columns) + " from " + source + " where " + which
