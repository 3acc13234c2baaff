"""Composes the statement for a list of calls. It contains only the requested filters, so that each uses its index.

An index gives the calls of one value in order of their beginning, but not those of several values. So the statement
reads one page per value and takes the first calls of these pages: the work is bounded by values times page, for any
number of calls. Live calls are few, have no such indexes, and are read once for all values. The same holds for other
orders: their indexes do not contain the value, and one page per value would read each index repeatedly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from shared.contracts.queries import CallsQuery
from shared.usecases.reading.reads import After


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of calls by `key` and id. `only` is the condition for calls that have a key."""

    key: LiteralString
    kind: LiteralString
    descending: bool = False
    only: LiteralString = "true"


# The next deadline of a call in progress. Calls without one come last.
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
# The expressions of the monthly indexes, beginning with the one that selects the fewest calls.
_VALUES: Mapping[str, LiteralString] = {
    "agents": "coalesce(c.agent_id, c.offered_agent_id, '-')",
    "languages": "coalesce(c.language, '-')",
    "queues": "c.queue_id",
}
# Literals instead of parameters: a partial index is used only if the statement contains its condition.
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
_ARCHIVED: LiteralString = "c.archive_time < 'infinity'"
_TYPES: Mapping[str, LiteralString] = {"voice": "c.type = 'voice'", "video": "c.type = 'video'"}
_YES_OR_NO: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "answered": ("c.answered_at is not null", "c.answered_at is null"),
    "waited": ("c.wait_seconds is not null", "c.wait_seconds is null"),
    "held": ("c.holds > 0", "c.holds = 0"),
    "missed": ("c.misses > 0", "c.misses = 0"),
    "transferred": ("c.transfers > 0", "c.transfers = 0"),
}


def statement(query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int) -> sql.Composed:
    """The limit is a literal: with a parameter, Postgres would plan each request again, which takes longer."""
    return sql.SQL(_statement(query, queues, after)).format(limit=limit)


def _statement(query: CallsQuery, queues: Sequence[str] | None, after: After | None) -> LiteralString:
    filters: dict[LiteralString, Sequence[str]] = _filters(query, queues)
    several: LiteralString | None = None
    if query.order in _BY_START:
        several = next((name for name, values in filters.items() if len(values) > 1), None)
    order, common = _ORDERS[query.order], _conditions(query, after)
    for name in filters:
        if name != several:
            value: LiteralString = "%(" + name + "_only)s" if len(filters[name]) == 1 else "any(%(" + name + ")s)"
            common.append(_VALUES[name] + " = " + value)
    flags, reasons = _alternatives(_FLAGGED, query.flag), _alternatives(_ENDED, query.end_reason)
    if several:
        common.extend(_any(part) for part in (flags, reasons) if part)
        values: LiteralString = "unnest(%(" + several + ")s::text[]) each (value)"
        page = _page(order, [_ARCHIVED, *common], _VALUES[several] + " = each.value")
        archived: LiteralString = "select c.* from " + values + ", lateral (" + page + ") c"
        return _united(
            order, [archived, _page(order, [_LIVE, *common], _VALUES[several] + " = any(%(" + several + ")s)")]
        )
    # Few calls have a flag, but most are completed, so completed calls need no page of their own.
    parts, rest = (flags, reasons) if flags or "completed" in query.end_reason else (reasons, flags)
    common.extend(_any(part) for part in (rest,) if part)
    if len(parts) < 2:
        return _page(order, common, *parts)
    pages: list[LiteralString] = [_page(order, [_ARCHIVED, *common], part) for part in parts]
    return _united(order, [*pages, _page(order, [_LIVE, *common], _any(parts))])


def parameters(query: CallsQuery, queues: Sequence[str] | None, after: After | None) -> dict[str, Any]:
    filters = {name: list(values) for name, values in _filters(query, queues).items()}
    return {
        **filters,
        **{f"{name}_only": values[0] for name, values in filters.items() if values},
        "statuses": list(query.status),
        "missed_by": list(query.missed_by),
        "since": query.since,
        "until": query.until,
        "id": query.id,
        "after_key": after and after.key,
        "after_id": after and after.call_id,
    }


def _filters(query: CallsQuery, queues: Sequence[str] | None) -> dict[LiteralString, Sequence[str]]:
    """The values of filters that allow several, without duplicates. No queues is an empty list."""
    given: dict[LiteralString, Sequence[str] | None] = {
        "agents": query.agent_id or None,
        "languages": query.language or None,
        "queues": queues,
    }
    return {name: list(dict.fromkeys(values)) for name, values in given.items() if values is not None}


def _any(parts: Sequence[LiteralString]) -> LiteralString:
    return "(" + " or ".join(parts) + ")"


def _alternatives(known: Mapping[str, LiteralString], names: Sequence[str]) -> list[LiteralString]:
    """One condition per name. They exclude each other, so that a call is on one page only."""
    conditions: list[LiteralString] = []
    for name in dict.fromkeys(names):
        others: LiteralString = "".join([" and not " + known[other] for other in names[: names.index(name)]])
        conditions.append(known[name] + others)
    return conditions


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
    filters: list[tuple[object, LiteralString]] = [
        (True, "c.initiated_at is not null"),
        (query.status, "c.status = any(%(statuses)s)"),
        (query.status and "ended" not in query.status, "c.ended_at is null and c.archive_time = 'infinity'"),
        (query.type, _any([_TYPES[name] for name in query.type])),
        (query.missed_by, "c.misses > 0 and c.missed_by && %(missed_by)s"),
        (query.since, "c.initiated_at >= %(since)s and c.archive_time >= %(since)s"),
        (query.until, "c.initiated_at < %(until)s and (c.archive_time < %(until)s or c.archive_time = 'infinity')"),
        # "~" sorts after all characters of an id.
        (query.id, 'c.id collate "C" >= %(id)s and c.id collate "C" < %(id)s || \'~\''),
        (query.no_flag, "not " + _any([_FLAGGED[flag] for flag in query.no_flag])),
        (after, "(" + order.key + ", c.id) " + beyond + " (%(after_key)s::" + order.kind + ", %(after_id)s)"),
    ]
    for name, (yes, no) in _YES_OR_NO.items():
        wanted = getattr(query, name)
        filters.append((wanted, yes if wanted == "true" else no))
    return [condition for is_set, condition in filters if is_set]
