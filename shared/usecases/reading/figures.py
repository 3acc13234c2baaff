"""The figures of a range, by bucket and group, each with a link to the calls that it counts."""

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
from shared.contracts.queries import NO_VALUE, MetricsQuery, parse_query
from shared.domain import figures as formulas
from shared.domain.fast import fast_frozen
from shared.domain.figures import AgentTime, Tally
from shared.usecases.access import Principal

MAX_RANGE = timedelta(days=400)
_make_metrics = compile_json(Metrics)
MAX_ROWS = 2000  # about 4 MB; a function's response may have 6 MB


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """Which calls to count, and how to group them.

    start, end: the range.
    bucket: the length of a bucket, or None for one bucket.
    zone: the time zone of days.
    group_by: the keys of the groups.
    queues: ids of permitted and requested queues. None means all.
    now: the current time.
    agents, languages, types: only calls with one of these. Empty means all.
    """

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
        """Whether the result depends on the calls' agents."""
        return bool(self.agents) or "agent" in self.group_by

    @property
    def of_all_calls(self) -> bool:
        """Whether agents' time can be added. Time without a call belongs to no queue, language or type."""
        is_filtered = self.queues is not None or self.languages or self.types
        return not is_filtered and set(self.group_by) <= {"agent"}


@fast_frozen
class FigureRow:
    """The figures of one group in one bucket.

    start, end: the bucket.
    keys: the values of the group's keys.
    tally: the counts of calls.
    time: the agents' time. None if it is unknown.
    """

    start: datetime
    end: datetime
    keys: Mapping[str, str | None]
    tally: Tally
    time: AgentTime | None = None


@dataclass(frozen=True, slots=True)
class AgentTimeRow:
    """The time of all agents in one bucket, or of one agent if the query groups by agent."""

    start: datetime
    end: datetime
    agent_id: str | None
    time: AgentTime


class Figures(Protocol):
    """Raises `UnavailableError`, and `ProblemError` (400) for an unknown time zone."""

    def day_begin(self, now: datetime, zone: str) -> datetime: ...

    def groups(self, query: FigureQuery, limit: int) -> list[FigureRow]:
        """Ordered by bucket and keys, without empty groups. Without bucket and groups, always one row."""
        ...

    def times(self, query: FigureQuery, limit: int) -> list[AgentTimeRow]:
        """Only buckets with agents who were signed in, up to now."""
        ...

    def gauges(self, query: FigureQuery, now: datetime) -> Gauges: ...


def show_metrics(figures: Figures, principal: Principal, parameters: dict[str, Any], now: datetime) -> Json:
    """A `contracts.figures.Metrics`. Raises `ProblemError` (400) that names the invalid parameter."""
    request = parse_query(MetricsQuery, parameters)
    query = _figure_query(figures, principal, request, now)
    groups = figures.groups(query, MAX_ROWS + 1)
    if query.of_all_calls:
        groups = _with_times(query, groups, figures.times(query, MAX_ROWS + 1))
    if len(groups) > MAX_ROWS:
        detail = f"The result has more than {MAX_ROWS} rows. Request a shorter range, longer buckets or fewer groups."
        raise refuse(400, detail, ("bucket" if query.bucket else "groupBy", f"gives more than {MAX_ROWS} rows"))
    filters = _filters(request)
    return _make_metrics(
        start=query.start,
        end=query.end,
        bucket=query.bucket,
        zone=query.zone,
        group_by=query.group_by,
        data=[_row(filters, group) for group in groups],
        now=figures.gauges(query, now).model_dump(mode="json"),
        formulas=FORMULAS,
        notes=_notes(query, groups),
    )


def _with_times(query: FigureQuery, groups: Sequence[FigureRow], times: Sequence[AgentTimeRow]) -> list[FigureRow]:
    """Add the agents' time to the rows. A bucket without calls gets a row of its own."""
    rows = {(group.start, group.keys.get("agent")): group for group in groups}
    for each in times:
        if each.time.staffed_ms:
            keys = {"agent": each.agent_id} if query.group_by else {}
            group = rows.get((each.start, each.agent_id)) or FigureRow(each.start, each.end, keys, Tally())
            rows[each.start, each.agent_id] = FigureRow(group.start, group.end, group.keys, group.tally, each.time)
    return [rows[key] for key in sorted(rows, key=lambda key: (key[0], key[1] is None, key[1] or ""))]


_NOTE_FILTERED = (
    "occupancy and handleTime.acw are null, because an agent's time belongs to no queue, language or type. Request "
    "them without these filters and groups, or by agent, with a token for all queues."
)
_NOTE_NO_AGENTS = (
    "occupancy and handleTime.acw are null where no agent was signed in or the agents' states are unknown. Imported "
    "calls do not change agents."
)


def _notes(query: FigureQuery, groups: Sequence[FigureRow]) -> list[str]:
    if not query.of_all_calls:
        return [_NOTE_FILTERED]
    return [] if all(group.time for group in groups) else [_NOTE_NO_AGENTS]


def _figure_query(figures: Figures, principal: Principal, request: MetricsQuery, now: datetime) -> FigureQuery:
    for name, moment in (("from", request.since), ("to", request.until)):
        if moment and moment.year in (MINYEAR, MAXYEAR):  # there is no complete day before or after it
            raise refuse(400, f"Not valid: {name}", (name, "is out of range"))
    end = _to_milliseconds(request.until or now)
    day_began = figures.day_begin(min(end, now), request.zone)
    start = _to_milliseconds(request.since or day_began)
    if not timedelta(0) <= end - start <= MAX_RANGE:
        days = f"is more than {MAX_RANGE.days} days"
        if request.until:
            problem = "is before `from`" if end < start else f"{days} after `from`"
            raise refuse(400, "Not valid: to", ("to", problem))
        problem = "is in the future" if end < start else f"{days} ago"
        raise refuse(400, "Not valid: from", ("from", problem))
    return FigureQuery(
        start=start,
        end=end,
        bucket=request.bucket,
        zone=request.zone,
        group_by=tuple(dict.fromkeys(request.group_by)),
        queues=principal.visible_queues(request.queue_id),
        now=now,
        agents=request.agent_id,
        languages=request.language,
        types=request.type,
    )


def _to_milliseconds(moment: datetime) -> datetime:
    """Responses contain milliseconds, and a link must select exactly the calls that were counted."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _row(filters: Mapping[str, str], group: FigureRow) -> Json:
    return row_json(group.start, group.end, group.keys, group.tally, group.time, _links(filters, group))


# The parameters that select the calls of a figure. Other figures count all calls of the group.
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
# Serialised once with placeholders: a day by agent has a thousand rows of links.
_CALLS_URL, _MISSED_URL = "<calls>", "<missed>"
_LINKS = orjson.dumps(
    {
        figure: _CALLS_URL + "".join(f"&{name}={value}" for name, value in select.items())
        for figure, select in _SELECTS.items()
    }
    | dict.fromkeys(("rona", "missed"), _MISSED_URL)
).decode()


_PARAMETERS = {"queue": "queueId", "agent": "agentId", "language": "language", "type": "type"}


def _filters(request: MetricsQuery) -> dict[str, str]:
    filters = {
        "queueId": request.queue_id,
        "agentId": request.agent_id,
        "language": request.language,
        "type": request.type,
    }
    return {name: ",".join(values) for name, values in filters.items() if values}


def _links(filters: Mapping[str, str], group: FigureRow) -> orjson.Fragment:
    """By figure. The URLs contain no characters that JSON escapes.

    A missed offer counts for the agent who missed it, even if another agent answered the call.
    """
    parameters = {**filters, **{_PARAMETERS[name]: value or NO_VALUE for name, value in group.keys.items()}}
    agent = _quoted(parameters.pop("agentId", ""))
    url = _range(group.start, group.end) + "".join([f"&{name}={_quoted(value)}" for name, value in parameters.items()])
    of_agent, missed = (f"&agentId={agent}", f"&missedBy={agent}") if agent else ("", "&missed=true")
    return orjson.Fragment(_LINKS.replace(_CALLS_URL, url + of_agent).replace(_MISSED_URL, url + missed))


@lru_cache(512)  # many rows have the same bucket
def _range(start: datetime, end: datetime) -> str:
    return f"/api/calls?from={rfc3339(start)}&to={rfc3339(end)}"


@lru_cache(4096)
def _quoted(value: str) -> str:
    return quote_plus(value, safe=":,")


def _formula(name: str, rule: Any) -> Json:  # noqa: ANN401 - one of the domain's functions
    """From the docstring of the rule: the formula, then the source."""
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
