"""The statement behind a list of calls: only what was asked for stands in it, so that each filter finds its index.

An index gives the calls of one value by their beginning, not those of several. Of several values each gives its page,
and of these pages the first calls are taken: the work is bounded by values times page, whatever the history. What is
live is little, has no such indexes, and is read once for all values. So is what another order is asked for: its index
knows no values, and each would walk along all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from shared.contracts.queries import CallsQuery
from shared.usecases.reading.reads import After


@dataclass(frozen=True, slots=True)
class _Order:
    """`key` with the id is a total order. `only` says which calls have a key."""

    key: LiteralString
    kind: LiteralString
    descending: bool = False
    only: LiteralString = "true"


# When the next promise of an open call falls due; the last of all where none is owed.
_DEADLINE: LiteralString = "coalesce(c.due_at, 'infinity')"
_ORDERS: Mapping[str, _Order] = {
    "start": _Order("c.initiated_at", "timestamptz"),
    "-start": _Order("c.initiated_at", "timestamptz", descending=True),
    "wait": _Order("c.wait_seconds", "float8", only="c.wait_seconds is not null"),
    "-wait": _Order("c.wait_seconds", "float8", descending=True, only="c.wait_seconds is not null"),
    "duration": _Order("c.duration_seconds", "float8", only="c.duration_seconds is not null"),
    "-duration": _Order("c.duration_seconds", "float8", descending=True, only="c.duration_seconds is not null"),
    "urgency": _Order(_DEADLINE, "timestamptz", only="c.ended_at is null and c.archive_time = 'infinity'"),
    "id": _Order('c.id collate "C"', "text"),
}
_BY_START = frozenset({"start", "-start"})
# As the indexes of a month have them; who picks fewest calls first.
_VALUES: Mapping[str, LiteralString] = {
    "agents": "coalesce(c.agent_id, c.offered_agent_id, '-')",
    "languages": "coalesce(c.language, '-')",
    "queues": "c.queue_id",
}
# Written out, not as parameters: an index for calls of this kind only serves who says so.
_FLAGGED: Mapping[str, LiteralString] = {
    "sla_breached": "'sla_breached' = any(c.flags)",
    "hold_exceeded": "'hold_exceeded' = any(c.flags)",
    "short_call": "'short_call' = any(c.flags)",
    "rerouted": "'rerouted' = any(c.flags)",
}
_ENDED: Mapping[str, LiteralString] = {
    "completed": "c.end_reason = 'completed'",
    "abandoned": "c.end_reason = 'abandoned'",
    "failed": "c.end_reason = 'failed'",
}
_LIVE: LiteralString = "c.archive_time = 'infinity'"
_SHELVED: LiteralString = "c.archive_time < 'infinity'"
_TYPES: Mapping[str, LiteralString] = {"voice": "c.type = 'voice'", "video": "c.type = 'video'"}
_YES_OR_NO: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "answered": ("c.answered_at is not null", "c.answered_at is null"),
    "waited": ("c.wait_seconds is not null", "c.wait_seconds is null"),
    "held": ("c.holds > 0", "c.holds = 0"),
    "missed": ("c.misses > 0", "c.misses = 0"),
    "transferred": ("c.transfers > 0", "c.transfers = 0"),
}


def statement(query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int) -> sql.Composed:
    """With the limit written out: a plan that suits any limit suits none, so Postgres would plan each request anew,
    which takes longer than the reading."""
    return sql.SQL(_statement(query, queues, after)).format(limit=limit)


def _statement(query: CallsQuery, queues: Sequence[str] | None, after: After | None) -> LiteralString:
    asked: dict[LiteralString, Sequence[str]] = _asked(query, queues)
    several: LiteralString | None = None
    if query.order in _BY_START:
        several = next((name for name, values in asked.items() if len(values) > 1), None)
    order, common = _ORDERS[query.order], _conditions(query, after)
    for name in asked:
        if name != several:
            value: LiteralString = "%(" + name + "_only)s" if len(asked[name]) == 1 else "any(%(" + name + ")s)"
            common.append(_VALUES[name] + " = " + value)
    flags, reasons = _alternatives(_FLAGGED, query.flag), _alternatives(_ENDED, query.end_reason)
    if several:
        common.extend(_any(part) for part in (flags, reasons) if part)
        values: LiteralString = "unnest(%(" + several + ")s::text[]) each (value)"
        page = _page(order, [_SHELVED, *common], _VALUES[several] + " = each.value")
        shelved: LiteralString = "select c.* from " + values + ", lateral (" + page + ") c"
        return _united(
            order, [shelved, _page(order, [_LIVE, *common], _VALUES[several] + " = any(%(" + several + ")s)")]
        )
    # Hardly any calls have a flag, but most are completed: these need no pages of their own.
    parts, rest = (flags, reasons) if flags or "completed" in query.end_reason else (reasons, flags)
    common.extend(_any(part) for part in (rest,) if part)
    if len(parts) < 2:
        return _page(order, common, *parts)
    pages: list[LiteralString] = [_page(order, [_SHELVED, *common], part) for part in parts]
    return _united(order, [*pages, _page(order, [_LIVE, *common], _any(parts))])


def parameters(query: CallsQuery, queues: Sequence[str] | None, after: After | None) -> dict[str, Any]:
    asked = {name: list(values) for name, values in _asked(query, queues).items()}
    return {
        **asked,
        **{f"{name}_only": values[0] for name, values in asked.items() if values},
        "statuses": list(query.status),
        "missed_by": list(query.missed_by),
        "since": query.since,
        "until": query.until,
        "id": query.id,
        "after_key": after and after.key,
        "after_id": after and after.call_id,
    }


def _asked(query: CallsQuery, queues: Sequence[str] | None) -> dict[LiteralString, Sequence[str]]:
    """The values of what may have several, each once. Nobody's queues are an empty list."""
    given: dict[LiteralString, Sequence[str] | None] = {
        "agents": query.agent_id or None,
        "languages": query.language or None,
        "queues": queues,
    }
    return {name: list(dict.fromkeys(values)) for name, values in given.items() if values is not None}


def _any(parts: Sequence[LiteralString]) -> LiteralString:
    return "(" + " or ".join(parts) + ")"


def _alternatives(known: Mapping[str, LiteralString], names: Sequence[str]) -> list[LiteralString]:
    """One condition a name, of which a call fulfils one at most: it stands on one page only."""
    found: list[LiteralString] = []
    for name in dict.fromkeys(names):
        others: LiteralString = "".join([" and not " + known[other] for other in names[: names.index(name)]])
        found.append(known[name] + others)
    return found


def _united(order: _Order, pages: Sequence[LiteralString]) -> LiteralString:
    united: LiteralString = ") union all (".join(pages)
    return "select c.* from ((" + united + ")) c " + _first(order)


def _page(order: _Order, conditions: Sequence[LiteralString], *which: LiteralString) -> LiteralString:
    where: LiteralString = " and ".join([*conditions, *which, order.only])
    return "select c.*, (" + order.key + ")::text as sort_key from calls c where " + where + " " + _first(order)


def _first(order: _Order) -> LiteralString:
    direction: LiteralString = "desc" if order.descending else "asc"
    return "order by " + order.key + " " + direction + ", c.id " + direction + " limit {limit}"


def _conditions(query: CallsQuery, after: After | None) -> list[LiteralString]:
    order = _ORDERS[query.order]
    beyond: LiteralString = "<" if order.descending else ">"
    asked: list[tuple[object, LiteralString]] = [
        (True, "c.initiated_at is not null"),
        (query.status, "c.status = any(%(statuses)s)"),
        (query.status and "ended" not in query.status, "c.ended_at is null and c.archive_time = 'infinity'"),
        (query.type, _any([_TYPES[name] for name in query.type])),
        (query.missed_by, "c.misses > 0 and c.missed_by && %(missed_by)s"),
        (query.since, "c.initiated_at >= %(since)s and c.archive_time >= %(since)s"),
        (query.until, "c.initiated_at < %(until)s and (c.archive_time < %(until)s or c.archive_time = 'infinity')"),
        # No mark that an id may have sorts after "~".
        (query.id, 'c.id collate "C" >= %(id)s and c.id collate "C" < %(id)s || \'~\''),
        (query.no_flag, "not " + _any([_FLAGGED[flag] for flag in query.no_flag])),
        (after, "(" + order.key + ", c.id) " + beyond + " (%(after_key)s::" + order.kind + ", %(after_id)s)"),
    ]
    for name, (yes, no) in _YES_OR_NO.items():
        wanted = getattr(query, name)
        asked.append((wanted, yes if wanted == "true" else no))
    return [condition for is_asked, condition in asked if is_asked]
