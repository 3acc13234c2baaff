"""Sums of the calls on the shelf, in five grains: kept where a call comes or goes, rebuilt from the calls, compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from shared.adapters.postgres.figures import CONTRIBUTIONS, SUMS

Query = tuple[LiteralString, Any]

# One at a time: who counts a bucket anew must see what everybody before it has put there.
LOCK: LiteralString = "select pg_advisory_xact_lock(hashtext('switchboard: one keeps the rollups'))"

_GRAINS: LiteralString = """(values
    ('5m', interval '5 minutes', false), ('1h', interval '1 hour', false), ('1d', interval '1 day', false),
    ('1h agent', interval '1 hour', true), ('1d agent', interval '1 day', true)) as g (grain, width, by_agent)
"""
_KEYS: LiteralString = """
    g.grain, date_bin(g.width, call.start, '2000-01-01 00:00:00+00') as start, call.queue_id,
    coalesce(call.language, '-') as language, call.type,
    case when g.by_agent then coalesce(call.agent_id, '-') else '' end as agent_id
"""
_COUNTED: LiteralString = (
    "select " + _KEYS + ", " + SUMS + " from (select " + CONTRIBUTIONS + " from calls c where c.shelf < 'infinity'"
)
_GROUPED: LiteralString = ") call cross join " + _GRAINS + " group by 1, 2, 3, 4, 5, 6"

ADD: LiteralString = (
    "insert into call_rollups as r "
    + _COUNTED
    + " and c.id = any(%s)"
    + _GROUPED
    + """ order by 1, 2, 3, 4, 5, 6
on conflict (grain, start, queue_id, language, type, agent_id) do update set
    offered = r.offered + excluded.offered, answered = r.answered + excluded.answered,
    answered_in_time = r.answered_in_time + excluded.answered_in_time, abandoned = r.abandoned + excluded.abandoned,
    short_abandons = r.short_abandons + excluded.short_abandons, failed = r.failed + excluded.failed,
    sla_breached = r.sla_breached + excluded.sla_breached, waited = r.waited + excluded.waited,
    wait_ms = r.wait_ms + excluded.wait_ms, answered_wait_ms = r.answered_wait_ms + excluded.answered_wait_ms,
    longest_wait_ms = greatest(r.longest_wait_ms, excluded.longest_wait_ms), handled = r.handled + excluded.handled,
    talk_ms = r.talk_ms + excluded.talk_ms, hold_ms = r.hold_ms + excluded.hold_ms, acw_ms = r.acw_ms + excluded.acw_ms,
    misses = r.misses + excluded.misses, missed = r.missed + excluded.missed,
    transfers = r.transfers + excluded.transfers, transferred = r.transferred + excluded.transferred,
    holds = r.holds + excluded.holds, held = r.held + excluded.held,
    hold_exceeded = r.hold_exceeded + excluded.hold_exceeded,
    hold_excess_ms = r.hold_excess_ms + excluded.hold_excess_ms, short_calls = r.short_calls + excluded.short_calls
"""
)
# A maximum cannot be subtracted from: the buckets in which these calls stood are emptied and counted anew.
_GONE: LiteralString = (
    "select distinct " + _KEYS + ", g.width, g.by_agent from (select " + CONTRIBUTIONS
    + " from calls c where c.id = any(%s)) call cross join " + _GRAINS
)  # fmt: skip
EMPTY: LiteralString = (
    "delete from call_rollups r using ("
    + _GONE
    + """) gone
where (r.grain, r.start, r.queue_id, r.language, r.type, r.agent_id)
    = (gone.grain, gone.start, gone.queue_id, gone.language, gone.type, gone.agent_id)
"""
)
RECOUNT: LiteralString = (
    "insert into call_rollups select gone.grain, gone.start, gone.queue_id, gone.language, gone.type, gone.agent_id, "
    "left_over.* from (" + _GONE + ") gone, lateral (select " + SUMS + " from (select " + CONTRIBUTIONS
    + """ from calls c
    where c.shelf >= gone.start and c.shelf < gone.start + gone.width and c.shelf < 'infinity'
      and c.queue_id = gone.queue_id and coalesce(c.language, '-') = gone.language and c.type = gone.type
      and (not gone.by_agent or coalesce(c.agent_id, '-') = gone.agent_id)) call) left_over
where left_over.offered > 0
"""
)  # fmt: skip

# All from the calls on the shelf, and how far the kept ones differ from that.
REBUILD: LiteralString = "insert into call_rollups " + _COUNTED + _GROUPED
# Of one month: no row of any grain lies across the border of two.
COUNT_MONTH: LiteralString = (
    "insert into call_rollups " + _COUNTED + " and c.shelf >= %(beginning)s and c.shelf < %(ending)s" + _GROUPED
)
DIFFERING: LiteralString = (
    "with counted as (" + _COUNTED + _GROUPED + ") select count(*) as differing from ("
    "(table counted except table call_rollups) union all (table call_rollups except table counted)) found"
)  # fmt: skip


def added(call_ids: Sequence[str]) -> list[Query]:
    """What counts calls that have just been shelved."""
    return [(LOCK, None), (ADD, [list(call_ids)])]


def removed(call_ids: Sequence[str]) -> list[Query]:
    """What counts calls no more that have just been taken off the shelf, as yet unchanged."""
    ids = list(call_ids)
    return [(LOCK, None), (EMPTY, [ids]), (RECOUNT, [ids])]


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_WIDTHS = {
    "1d": timedelta(days=1), "1h": timedelta(hours=1), "5m": timedelta(minutes=5),
    "1d agent": timedelta(days=1), "1h agent": timedelta(hours=1),
}  # fmt: skip
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Cover:
    """A range of time made of whole rows of rollups, widest first, and of edges whose calls are counted themselves."""

    rolled: list[tuple[str, datetime, datetime]] = field(default_factory=list[tuple[str, datetime, datetime]])
    edges: list[Stretch] = field(default_factory=list[Stretch])


def cover(start: datetime, end: datetime, grains: Sequence[str]) -> Cover:
    """Take as few rows as the grains, given widest first, allow."""
    found = Cover()
    _take(found, start, end, grains)
    return found


def _take(found: Cover, start: datetime, end: datetime, grains: Sequence[str]) -> None:
    if start >= end:
        return
    if not grains:
        found.edges.append((start, end))
        return
    width = _WIDTHS[grains[0]]
    first, last = start + (_EPOCH - start) % width, end - (end - _EPOCH) % width
    if first >= last:
        _take(found, start, end, grains[1:])
        return
    _take(found, start, first, grains[1:])
    found.rolled.append((grains[0], first, last))
    _take(found, last, end, grains[1:])


def grains(bucket: str | None, *, by_agent: bool, utc: bool, whole_hours: bool) -> list[str]:
    """Those of which no row lies across the border of two buckets. `whole_hours` and `utc` say where days begin."""
    wide = [name for name in ("1d", "1h") if _fits(name, bucket, utc=utc, whole_hours=whole_hours)]
    return [f"{name} agent" for name in wide] if by_agent else [*wide, "5m"]


def _fits(grain: str, bucket: str | None, *, utc: bool, whole_hours: bool) -> bool:
    if bucket is None:
        return True
    if grain == "1h":
        return bucket in ("1h", "1d") and whole_hours
    return bucket == "1d" and utc
