"""Sums of archived calls, in six grains. They are updated when a call is archived or moved back, and can be recomputed.

The statements are composed of the definitions in `call_figures`, so they stay in Python.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from shared.adapters.postgres.figures.call_figures import ADDED, SUBTRACTED, SUMS, of_calls

Query = tuple[LiteralString, Any]

# One transaction at a time: an update must see the sums that earlier ones wrote.
LOCK: LiteralString = "select pg_advisory_xact_lock(hashtext('switchboard: one keeps the rollups'))"

# `1d agent only` has one row per agent and day, where `1d agent` may have dozens. For hours there would be hardly fewer
# rows, because an agent answers few calls in an hour.
_GRAINS: LiteralString = """(values
    ('5m', interval '5 minutes', false, false), ('1h', interval '1 hour', false, false),
    ('1d', interval '1 day', false, false), ('1h agent', interval '1 hour', true, false),
    ('1d agent', interval '1 day', true, false), ('1d agent only', interval '1 day', true, true)
) as g (grain, width, by_agent, alone)
"""
_KEYS: LiteralString = """
    g.grain, date_bin(g.width, call.start, '2000-01-01 00:00:00+00') as start,
    case when g.alone then '' else call.queue_id end as queue_id,
    case when g.alone then '' else coalesce(call.language, '-') end as language,
    case when g.alone then '' else call.type end as type,
    case when g.by_agent then coalesce(call.agent_id, '-') else '' end as agent_id
"""


def _rows(which: LiteralString, *more: LiteralString) -> LiteralString:
    """The rows of sums for some calls. `more` columns of the grain follow the keys."""
    each: LiteralString = (
        "select false as by_agent, plain.* from (" + of_calls("calls", which, by_agent=False) + ") plain union all "
        "select true, agents.* from (" + of_calls("calls", which, by_agent=True) + ") agents"
    )
    joined: LiteralString = ") call join " + _GRAINS + " on g.by_agent = call.by_agent"
    keys: LiteralString = ", ".join([_KEYS, *more])
    grouped: LiteralString = ", ".join(["1, 2, 3, 4, 5, 6", *more])
    return "select " + keys + ", " + SUMS + " from (" + each + joined + " group by " + grouped


def _counted(which: LiteralString) -> LiteralString:
    """The rows of sums for archived calls. Rows without a call, which only hold events, are left out."""
    return _rows("c.archive_time < 'infinity' and c.initiated_at is not null and " + which)


ADD: LiteralString = (
    "insert into call_rollups as r "
    + _counted("c.id = any(%(ids)s)")
    + " order by 1, 2, 3, 4, 5, 6"
    + " on conflict (grain, start, queue_id, language, type, agent_id) do update set "
    + ADDED
)
# Sums of calls that were just moved back from the archive. A maximum cannot be subtracted, so it is read again if one
# of these calls had it.
_REMOVED: LiteralString = _rows("c.id = any(%(ids)s)", "g.width", "g.by_agent", "g.alone")
_SAME: LiteralString = """(r.grain, r.start, r.queue_id, r.language, r.type, r.agent_id)
    = (old.grain, old.start, old.queue_id, old.language, old.type, old.agent_id)"""
SUBTRACT: LiteralString = (
    "update call_rollups r set "
    + SUBTRACTED
    + """, longest_wait_ms = case when old.longest_wait_ms < r.longest_wait_ms then r.longest_wait_ms else (
    select coalesce(max(round(c.wait_seconds * 1000)), 0)::bigint from calls c
    where c.archive_time >= old.start and c.archive_time < old.start + old.width and c.archive_time < 'infinity'
      and c.initiated_at >= old.start and c.initiated_at < old.start + old.width
      and (old.alone or (c.queue_id, coalesce(c.language, '-'), c.type) = (old.queue_id, old.language, old.type))
      and (not old.by_agent or coalesce(c.agent_id, c.offered_agent_id, '-') = old.agent_id)) end
from ("""
    + _REMOVED
    + ") old where "
    + _SAME
)
FORGET_EMPTY: LiteralString = (
    "delete from call_rollups r using (" + _REMOVED + ") old where " + _SAME + " and r.offered = 0 and r.misses = 0"
)

# Sums by month, from archived calls. No row of any grain extends over two months.
_MONTH: LiteralString = "c.archive_time >= %(beginning)s and c.archive_time < %(ending)s"
_OF_MONTH: LiteralString = "start >= %(beginning)s and start < %(ending)s"
COUNT_MONTH: LiteralString = "insert into call_rollups " + _counted(_MONTH)
EMPTY_MONTH: LiteralString = "delete from call_rollups where " + _OF_MONTH
DIFFERING: LiteralString = (
    "with counted as (" + _counted(_MONTH) + "), kept as (select * from call_rollups where " + _OF_MONTH + ") "
    "select count(*) from ((table counted except table kept) union all (table kept except table counted)) found"
)  # fmt: skip


def added(call_ids: Sequence[str]) -> list[Query]:
    """Statements that add calls that were just archived."""
    return [(LOCK, None), (ADD, {"ids": list(call_ids)})]


def removed(call_ids: Sequence[str]) -> list[Query]:
    """Statements that subtract calls that were just moved back from the archive and have not changed yet."""
    ids = {"ids": list(call_ids)}
    return [(LOCK, None), (SUBTRACT, ids), (FORGET_EMPTY, ids)]


# A grain with the same sums in fewer rows, for figures that distinguish calls only by agent.
FEWER = {"1d agent": "1d agent only"}
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_WIDTHS = {
    "1d": timedelta(days=1), "1h": timedelta(hours=1), "5m": timedelta(minutes=5),
    "1d agent": timedelta(days=1), "1h agent": timedelta(hours=1),
}  # fmt: skip
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Cover:
    """How a range of time is read.

    rolled: whole rows of sums, as grain, beginning and end, widest first
    edges: the rest, whose calls are counted themselves
    """

    rolled: list[tuple[str, datetime, datetime]] = field(default_factory=list[tuple[str, datetime, datetime]])
    edges: list[Stretch] = field(default_factory=list[Stretch])


def cover(start: datetime, end: datetime, grains: Sequence[str]) -> Cover:
    """The cover with the fewest rows. `grains` are ordered from the widest."""
    result = Cover()
    _take(result, start, end, grains)
    return result


def _take(result: Cover, start: datetime, end: datetime, grains: Sequence[str]) -> None:
    if start >= end:
        return
    if not grains:
        result.edges.append((start, end))
        return
    width = _WIDTHS[grains[0]]
    first, last = start + (_EPOCH - start) % width, end - (end - _EPOCH) % width
    if first >= last:
        _take(result, start, end, grains[1:])
        return
    _take(result, start, first, grains[1:])
    result.rolled.append((grains[0], first, last))
    _take(result, last, end, grains[1:])


def grains(bucket: str | None, *, by_agent: bool, utc: bool, minutes: int) -> list[str]:
    """Grains without rows that extend over two buckets.

    Days begin at a multiple of `minutes` after a full hour; `utc` means at midnight UTC.
    """
    fitting = [name for name in ("1d", "1h", "5m") if _fits(name, bucket, utc=utc, minutes=minutes)]
    return [f"{name} agent" for name in fitting if name != "5m"] if by_agent else fitting


def _fits(grain: str, bucket: str | None, *, utc: bool, minutes: int) -> bool:
    if bucket is None:
        return True
    if grain == "5m":
        return minutes % 5 == 0
    if grain == "1h":
        return bucket in ("1h", "1d") and minutes % 60 == 0
    return bucket == "1d" and utc
