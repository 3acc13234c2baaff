"""The figures of a range, by bucket and group, each with the address of the calls that it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote_plus

import orjson

from shared.contracts.base import rfc3339
from shared.contracts.figures import Gauges, Metrics
from shared.contracts.figures_json import row_json
from shared.contracts.plain_json import Json, compile_json
from shared.contracts.problems import refuse
from shared.contracts.queries import NOBODY, MetricsQuery, parse_query
from shared.domain import figures as formulas
from shared.domain.fast import fast_frozen
from shared.domain.figures import AgentTime, Tally
from shared.usecases.access import Principal

LONGEST_RANGE = timedelta(days=400)
_make_metrics = compile_json(Metrics)
MAX_ROWS = 2000  # some 4 MB: a function may answer 6


@dataclass(frozen=True, slots=True)
class Span:
    """Which calls to count and how to part them. `queues` None means all."""

    start: datetime
    end: datetime
    bucket: str | None
    zone: str
    group_by: tuple[str, ...]
    queues: Sequence[str] | None
    now: datetime
    agents: Sequence[str] = ()
    languages: Sequence[str] = ()
    types: Sequence[str] = ()

    @property
    def by_agent(self) -> bool:
        """Whether it matters whose a call is."""
        return bool(self.agents) or "agent" in self.group_by

    @property
    def of_all_calls(self) -> bool:
        """Whether agents' time can be set beside the calls: time without a call belongs to no queue and no language."""
        narrowed = self.queues is not None or self.languages or self.types
        return not narrowed and set(self.group_by) <= {"agent"}


@fast_frozen
class Group:
    """One row: its bucket, its keys by name, what was counted, and agents' time; None where that is not known."""

    start: datetime
    end: datetime
    keys: Mapping[str, str | None]
    tally: Tally
    time: AgentTime | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """What agents did in one bucket, or one of them where it is grouped by agent."""

    start: datetime
    end: datetime
    agent_id: str | None
    time: AgentTime


class Figures(Protocol):
    """Raises `UnavailableError`; `ProblemError` (400) where nobody knows the zone."""

    def day_begin(self, now: datetime, zone: str) -> datetime: ...

    def groups(self, span: Span, limit: int) -> list[Group]:
        """Ordered by bucket and keys. A group nobody called is left out; without any group there is one of zeros."""
        ...

    def times(self, span: Span, limit: int) -> list[Time]:
        """Where anybody was signed in, as far as that has passed."""
        ...

    def gauges(self, span: Span, now: datetime) -> Gauges: ...


def show_metrics(figures: Figures, principal: Principal, parameters: dict[str, Any], now: datetime) -> Json:
    """As `contracts.metrics.Metrics`. Raises `ProblemError` (400) that names a parameter which is not valid."""
    query = parse_query(MetricsQuery, parameters)
    span = _span(figures, principal, query, now)
    groups = figures.groups(span, MAX_ROWS + 1)
    if span.of_all_calls:
        groups = _beside(span, groups, figures.times(span, MAX_ROWS + 1))
    if len(groups) > MAX_ROWS:
        detail = f"These are more than {MAX_ROWS} rows: ask for a shorter range, longer buckets or fewer groups."
        raise refuse(400, detail, ("bucket" if span.bucket else "groupBy", f"would give more than {MAX_ROWS} rows"))
    narrowed = _narrowed(query)
    return _make_metrics(
        start=span.start,
        end=span.end,
        bucket=span.bucket,
        zone=span.zone,
        group_by=span.group_by,
        data=[_row(narrowed, group) for group in groups],
        now=figures.gauges(span, now).model_dump(mode="json"),
        formulas=FORMULAS,
        notes=_notes(span, groups),
    )


def _beside(span: Span, groups: Sequence[Group], times: Sequence[Time]) -> list[Group]:
    """Calls and agents' time of one bucket in one row: in one of its own where somebody was there and nobody called."""
    found = {(group.start, group.keys.get("agent")): group for group in groups}
    for each in times:
        if each.time.staffed_ms:
            keys = {"agent": each.agent_id} if span.group_by else {}
            group = found.get((each.start, each.agent_id)) or Group(each.start, each.end, keys, Tally())
            found[each.start, each.agent_id] = Group(group.start, group.end, group.keys, group.tally, each.time)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] is None, key[1] or ""))]


_OF_NO_QUEUE = (
    "occupancy and handleTime.acw are null: an agent's time is no queue's, no language's and no type's. Ask without "
    "them, or by agent, with a token that sees all queues."
)
_NOBODY_THERE = (
    "occupancy and handleTime.acw are null where no agent was signed in, or nothing is known of it: calls recorded as "
    "history move no agents."
)


def _notes(span: Span, groups: Sequence[Group]) -> list[str]:
    if not span.of_all_calls:
        return [_OF_NO_QUEUE]
    return [] if all(group.time for group in groups) else [_NOBODY_THERE]


def _span(figures: Figures, principal: Principal, query: MetricsQuery, now: datetime) -> Span:
    for name, moment in (("from", query.since), ("to", query.until)):
        if moment and moment.year in (MINYEAR, MAXYEAR):  # there is no day before or behind it to count in
            raise refuse(400, f"Not valid: {name}", (name, "is out of range"))
    end = _sayable(query.until or now)
    day_began = figures.day_begin(min(end, now), query.zone)
    start = _sayable(query.since or day_began)
    if not timedelta(0) <= end - start <= LONGEST_RANGE:
        days = f"is more than {LONGEST_RANGE.days} days"
        if query.until:
            problem = "is before `from`" if end < start else f"{days} after `from`"
            raise refuse(400, "Not valid: to", ("to", problem))
        problem = "is in the future" if end < start else f"{days} ago"
        raise refuse(400, "Not valid: from", ("from", problem))
    return Span(
        start=start,
        end=end,
        bucket=query.bucket,
        zone=query.zone,
        group_by=tuple(dict.fromkeys(query.group_by)),
        queues=principal.visible_queues(query.queue_id),
        now=now,
        agents=query.agent_id,
        languages=query.language,
        types=query.type,
    )


def _sayable(moment: datetime) -> datetime:
    """As our times are put into words, in milliseconds: a link must ask for the very calls that were counted."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _row(narrowed: Mapping[str, str], group: Group) -> Json:
    return row_json(group.start, group.end, group.keys, group.tally, group.time, _links(narrowed, group))


# How the list of calls is asked for those that a figure counts; what is not named here counts all of the group.
_SELECTS: dict[str, dict[str, str]] = {
    "offered": {},
    "answered": {"answered": "true"},
    "answeredInTime": {"answered": "true", "noFlag": "sla_breached"},
    "abandoned": {"answered": "false", "endReason": "abandoned"},
    "shortAbandons": {"answered": "false", "endReason": "abandoned", "noFlag": "sla_breached"},
    "failed": {"answered": "false", "endReason": "failed"},
    "slaBreached": {"flag": "sla_breached"},
    "asa": {"answered": "true"},
    "meanWaitOfAll": {"waited": "true"},
    "longestWait": {"waited": "true", "sort": "-wait", "limit": "1"},
    "handled": {"answered": "true", "status": "ended"},
    "transferred": {"transferred": "true"},
    "held": {"held": "true"},
    "holdExceeded": {"flag": "hold_exceeded"},
    "shortCalls": {"flag": "short_call"},
}
# Put into words once, but for the addresses that they begin with: a day by agent has a thousand rows of these.
_HERE, _MISSED_HERE = "<calls>", "<missed>"
_LINKS = orjson.dumps(
    {
        figure: _HERE + "".join(f"&{name}={value}" for name, value in select.items())
        for figure, select in _SELECTS.items()
    }
    | dict.fromkeys(("rona", "missed"), _MISSED_HERE)
).decode()


_PARAMETERS = {"queue": "queueId", "agent": "agentId", "language": "language", "type": "type"}


def _narrowed(query: MetricsQuery) -> dict[str, str]:
    asked = {"queueId": query.queue_id, "agentId": query.agent_id, "language": query.language, "type": query.type}
    return {name: ",".join(values) for name, values in asked.items() if values}


def _links(narrowed: Mapping[str, str], group: Group) -> orjson.Fragment:
    """By figure. An address has no mark that JSON would have to escape.

    A miss is of who missed it, whoever had the call in the end.
    """
    asked = {**narrowed, **{_PARAMETERS[name]: value or NOBODY for name, value in group.keys.items()}}
    agent = _quoted(asked.pop("agentId", ""))
    here = _range(group.start, group.end) + "".join([f"&{name}={_quoted(value)}" for name, value in asked.items()])
    of_agent, missed = (f"&agentId={agent}", f"&missedBy={agent}") if agent else ("", "&missed=true")
    return orjson.Fragment(_LINKS.replace(_HERE, here + of_agent).replace(_MISSED_HERE, here + missed))


@lru_cache(512)  # a thousand agents' rows have the same times, and the same agents the next time
def _range(start: datetime, end: datetime) -> str:
    return f"/api/calls?from={rfc3339(start)}&to={rfc3339(end)}"


@lru_cache(4096)
def _quoted(value: str) -> str:
    return quote_plus(value, safe=":,")


def _formula(name: str, rule: Any) -> Json:  # noqa: ANN401 - one of the domain's functions
    """As the domain's own docstring tells it: the formula, then the source."""
    formula, _, source = " ".join(str(rule.__doc__).split()).rstrip(".").partition(". ")
    return {"name": name, "formula": formula, "source": source.replace("*", "")}


FORMULAS: tuple[Json, ...] = (
    _formula("serviceLevel.ofAnswered", formulas.level_of_answered),
    _formula("serviceLevel.ofOffered", formulas.level_of_offered),
    _formula("serviceLevel.withoutShortAbandons", formulas.level_without_short_abandons),
    _formula("serviceLevel.withAbandonsInTime", formulas.level_with_abandons_in_time),
    _formula("abandonRate", formulas.abandon_rate),
    _formula("asa", formulas.asa_seconds),
    _formula("meanWaitOfAll", formulas.mean_wait_seconds),
    _formula("handleTime.aht", formulas.aht_seconds),
    _formula("handleTime.acw", formulas.acw_seconds),
    _formula("occupancy", formulas.occupancy),
    _formula("occupancyWithoutAway", formulas.occupancy_without_away),
)
