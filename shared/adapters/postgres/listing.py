"""The statement behind a list of calls: only what was asked for stands in it, so that each filter finds its index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from shared.contracts.queries import CallsQuery
from shared.usecases.reads import After


@dataclass(frozen=True, slots=True)
class _Order:
    """`key` with the id is a total order. `only` says which calls have a key."""

    key: LiteralString
    kind: LiteralString
    descending: bool = False
    only: LiteralString = ""


# When the next promise of an open call falls due; the last of all where none is owed.
_DEADLINE: LiteralString = "coalesce(c.due_at, 'infinity')"
_ORDERS: Mapping[str, _Order] = {
    "start": _Order("c.initiated_at", "timestamptz"),
    "-start": _Order("c.initiated_at", "timestamptz", descending=True),
    "wait": _Order("c.wait_seconds", "float8", only="c.wait_seconds is not null"),
    "-wait": _Order("c.wait_seconds", "float8", descending=True, only="c.wait_seconds is not null"),
    "duration": _Order("c.duration_seconds", "float8", only="c.duration_seconds is not null"),
    "-duration": _Order("c.duration_seconds", "float8", descending=True, only="c.duration_seconds is not null"),
    "urgency": _Order(_DEADLINE, "timestamptz", only="c.ended_at is null and c.shelf = 'infinity'"),
    "id": _Order('c.id collate "C"', "text"),
}
_AGENT: LiteralString = "coalesce(c.agent_id, c.offered_agent_id)"
_FLAGGED: Mapping[str, LiteralString] = {
    "sla_breached": "'sla_breached' = any(c.flags)",
    "hold_exceeded": "'hold_exceeded' = any(c.flags)",
    "short_call": "'short_call' = any(c.flags)",
    "rerouted": "'rerouted' = any(c.flags)",
}
_YES_OR_NO: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "answered": ("c.answered_at is not null", "c.answered_at is null"),
    "waited": ("c.wait_seconds is not null", "c.wait_seconds is null"),
    "held": ("c.holds > 0", "c.holds = 0"),
    "missed": ("c.misses > 0", "c.misses = 0"),
    "transferred": ("c.transfers > 0", "c.transfers = 0"),
}


def statement(query: CallsQuery, queues: Sequence[str] | None, after: After | None) -> LiteralString:
    order = _ORDERS[query.order]
    conditions: list[LiteralString] = [*_conditions(query, queues), *([order.only] if order.only else [])]
    direction: LiteralString = "desc" if order.descending else "asc"
    if after:
        beyond: LiteralString = "<" if order.descending else ">"
        conditions.append("(" + order.key + ", c.id) " + beyond + " (%(after_key)s::" + order.kind + ", %(after_id)s)")
    where: LiteralString = " and ".join(conditions)
    ordered: LiteralString = order.key + " " + direction + ", c.id " + direction
    key: LiteralString = "(" + order.key + ")::text as sort_key"
    return "select c.*, " + key + " from calls c where " + where + " order by " + ordered + " limit %(limit)s"


def parameters(query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int) -> dict[str, Any]:
    return {
        "statuses": list(query.status),
        "queues": list(queues or ()),
        "agents": list(query.agent_id),
        "languages": list(query.language),
        "types": list(query.type),
        "end_reasons": list(query.end_reason),
        "since": query.since,
        "until": query.until,
        "id": query.id,
        "after_key": after and after.key,
        "after_id": after and after.call_id,
        "limit": limit,
    }


def _conditions(query: CallsQuery, queues: Sequence[str] | None) -> list[LiteralString]:
    asked: list[tuple[object, LiteralString]] = [
        (True, "c.initiated_at is not null"),
        (query.status, "c.status = any(%(statuses)s)"),
        (query.status and "ended" not in query.status, "c.ended_at is null and c.shelf = 'infinity'"),
        (queues is not None, "c.queue_id = any(%(queues)s)"),
        (query.agent_id, "coalesce(" + _AGENT + ", '-') = any(%(agents)s)"),
        (query.language, "coalesce(c.language, '-') = any(%(languages)s)"),
        (query.type, "c.type = any(%(types)s)"),
        (query.end_reason, "c.end_reason = any(%(end_reasons)s)"),
        (query.since, "c.initiated_at >= %(since)s and c.shelf >= %(since)s"),
        (query.until, "c.initiated_at < %(until)s and (c.shelf < %(until)s or c.shelf = 'infinity')"),
        # No mark that an id may have sorts after "~".
        (query.id, 'c.id collate "C" >= %(id)s and c.id collate "C" < %(id)s || \'~\''),
        (query.flag, "(" + " or ".join(_FLAGGED[flag] for flag in query.flag) + ")"),
        (query.no_flag, "not (" + " or ".join(_FLAGGED[flag] for flag in query.no_flag) + ")"),
    ]
    for name, (yes, no) in _YES_OR_NO.items():
        wanted = getattr(query, name)
        asked.append((wanted, yes if wanted == "true" else no))
    return [condition for is_asked, condition in asked if is_asked]
