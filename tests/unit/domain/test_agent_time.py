"""What agents did with their time, held against a model that asks of every millisecond by itself who had the agent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agent import AgentStatus
from shared.domain.agent_time import MAX_REPORT_DELAY, AgentCause, AgentState, agent_causes, intervals
from shared.domain.events import (
    Answered,
    AnswerTimedOut,
    Ended,
    EndReason,
    Event,
    Fact,
    Held,
    Initiated,
    Limits,
    Routed,
    Source,
    Transferred,
)

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
END = 60  # milliseconds: all that happens happens before


def at(ms: int) -> datetime:
    return BEGIN + timedelta(milliseconds=ms)


@dataclass(frozen=True)
class Life:
    """A call and one agent: rung, perhaps answered, over, wrapped up; in milliseconds, each after the one before."""

    call: str
    rung: int
    answered: int | None
    over: int
    wrapped: int
    missed: bool

    def agent_causes(self) -> list[AgentCause]:
        reported = [(self.rung, AgentStatus.OFFERED)]
        if self.answered is not None:
            reported.append((self.answered, AgentStatus.ON_CALL))
            if self.wrapped > self.over:
                reported.append((self.over, AgentStatus.WRAP_UP))
            reported.append((self.wrapped, AgentStatus.AVAILABLE))
        else:
            reported.append((self.over, AgentStatus.AWAY if self.missed else AgentStatus.AVAILABLE))
        return [AgentCause(at(ms), True, self.call, step, status) for step, (ms, status) in enumerate(reported)]

    def engaged(self, ms: int) -> AgentStatus | None:
        if self.answered is not None and self.answered <= ms < self.over:
            return AgentStatus.ON_CALL
        until = self.over if self.answered is None else self.answered
        return AgentStatus.OFFERED if self.rung <= ms < until else None


def lives(count: int) -> st.SearchStrategy[list[Life]]:
    """Their moments all differ, also from those of reports."""
    moments = st.lists(st.integers(0, END - 1), min_size=4 * count, max_size=4 * count, unique=True)

    def made(drawn: list[int], kinds: list[int]) -> list[Life]:
        found: list[Life] = []
        for n, kind in enumerate(kinds):
            rung, answered, over, wrapped = sorted(drawn[4 * n : 4 * n + 4])
            if kind > 1:
                found.append(Life(f"call-{n}", rung, None, over, over, kind == 2))
            else:
                found.append(Life(f"call-{n}", rung, answered, over, wrapped if kind else over, missed=False))
        return found

    return st.builds(made, moments, st.lists(st.integers(0, 3), min_size=count, max_size=count))


def model(calls: list[Life], reports: list[tuple[int, AgentStatus]], ms: int) -> AgentStatus:
    """The status at one moment: the call that has the agent, else the wrap-up, else the last report or its result."""
    engaged = [status for call in calls if (status := call.engaged(ms))]
    if engaged:
        return AgentStatus.ON_CALL if AgentStatus.ON_CALL in engaged else AgentStatus.OFFERED
    if any(_wraps_up(call, calls, reports, ms) for call in calls):
        return AgentStatus.WRAP_UP
    return _reported(calls, reports, ms)


def _wraps_up(call: Life, calls: list[Life], reports: list[tuple[int, AgentStatus]], ms: int) -> bool:
    """Until its time is over, or the agent talks again, misses another call or says anything."""
    if call.answered is None or not call.over <= ms < call.wrapped:
        return False
    answered = any(
        call.over <= other.answered <= ms for other in calls if other is not call and other.answered is not None
    )
    missed = any(call.over <= other.over <= ms for other in calls if other.missed)
    spoken = any(call.over <= m <= ms for m, _ in reports)
    return not (answered or missed or spoken)


def _reported(calls: list[Life], reports: list[tuple[int, AgentStatus]], ms: int) -> AgentStatus:
    """The last that counts: a report, the beginning of an engagement out of nothing, or a miss without a word."""
    for moment in range(ms, -1, -1):
        for m, status in reports:
            if m == moment:
                return status
        for call in calls:
            if call.missed and call.over == moment and _reported(calls, reports, moment - 1) is AgentStatus.AVAILABLE:
                return AgentStatus.AWAY
            begins = call.rung == moment
            if begins and model(calls, reports, moment - 1) not in (
                AgentStatus.ON_CALL,
                AgentStatus.OFFERED,
                AgentStatus.WRAP_UP,
            ):
                return AgentStatus.AVAILABLE
    return AgentStatus.OFFLINE


REPORTED = st.sampled_from([AgentStatus.AVAILABLE, AgentStatus.AWAY, AgentStatus.OFFLINE])


@given(lives(3), st.lists(REPORTED, max_size=5), st.data())
def test_agent_time_matches_a_model_of_each_moment(
    calls: list[Life], reported: list[AgentStatus], data: st.DataObject
) -> None:
    taken = {ms for call in calls for ms in (call.rung, call.answered, call.over, call.wrapped) if ms is not None}
    free = [ms for ms in range(END) if ms not in taken]
    moments = data.draw(st.lists(st.sampled_from(free), min_size=len(reported), max_size=len(reported), unique=True))
    reports = list(zip(moments, reported, strict=True))
    spoken = [cause for call in calls for cause in call.agent_causes()]
    spoken += [AgentCause(at(ms), False, f"report-{n}", 0, status) for n, (ms, status) in enumerate(reports)]
    found = intervals(data.draw(st.permutations(spoken)), AgentState())
    by_moment = [
        next(
            (interval.state.status for interval in reversed(found) if interval.cause.at <= at(ms)), AgentStatus.OFFLINE
        )
        for ms in range(END)
    ]
    assert by_moment == [model(calls, reports, ms) for ms in range(END)]
    assert [interval.ended for interval in found[:-1]] == [interval.cause.at for interval in found[1:]]
    assert not found or found[-1].ended is None


def event(ms: int, fact: Fact, *, received: datetime | None = None, source: Source = Source.TELEPHONY) -> Event:
    return Event(f"{ms}-{type(fact).__name__}", "call", fact, at(ms), received or at(ms), dated=True, source=source)


BEGUN = Initiated("voice", "spanish", None, Limits(wrap_up_seconds=0.005))
LOG = [
    event(0, BEGUN),
    event(1, Routed("ana", 1)),
    event(2, AnswerTimedOut("ana", 1), source=Source.SYSTEM),
    event(3, Routed("ben", 1)),
    event(4, Routed("cleo", 1)),
    event(5, Answered(3)),
    event(6, Held(0)),
    event(7, Transferred("legal")),
    event(8, Routed("ana", 1)),
    event(9, Answered(3, "ben")),
    event(10, Ended(EndReason.COMPLETED, 1)),
]


def reported(log: list[Event]) -> list[tuple[str, int, str, str]]:
    return [(a, (cause.at - BEGIN) // timedelta(milliseconds=1), cause.status, q) for a, q, cause in agent_causes(log)]


def test_a_call_yields_ringing_talking_and_freed_agents() -> None:
    assert reported(LOG[::-1]) == [
        ("ana", 1, "offered", "spanish"),
        ("ana", 2, "away", "spanish"),
        ("ben", 3, "offered", "spanish"),
        ("ben", 4, "available", "spanish"),
        ("cleo", 4, "offered", "spanish"),
        ("cleo", 5, "on_call", "spanish"),
        ("cleo", 7, "available", "spanish"),
        ("ana", 8, "offered", "legal"),
        ("ana", 9, "available", "legal"),
        ("ben", 9, "on_call", "legal"),
        ("ben", 10, "wrap_up", "legal"),
        ("ben", 15, "available", "legal"),
    ]


def test_history_and_very_late_events_give_no_agent_time() -> None:
    assert reported([event(0, BEGUN, source=Source.IMPORT), event(1, Routed("ana", 1), source=Source.IMPORT)]) == []
    assert reported([event(0, BEGUN), event(1, Routed("ana", 1), received=at(1) + MAX_REPORT_DELAY)]) == []
    assert reported([event(1, Routed("ana", 1))]) == []


@pytest.mark.parametrize(("max_misses", "status"), [(1, "away"), (2, "available"), (3, "available")])
def test_the_queue_s_number_of_misses_sends_an_agent_away(max_misses: int, status: str) -> None:
    """An answer and a report of the agent reset the count."""
    rung = [AgentStatus.OFFERED, AgentStatus.AWAY]
    missed = [AgentCause(at(2 * n), True, f"call-{n // 2}", n % 2, rung[n % 2], max_misses) for n in range(4)]
    after_two = intervals(missed, AgentState(AgentStatus.AVAILABLE))[-1].state
    assert after_two.status == ("available" if max_misses == 3 else "away")
    assert intervals(missed[:2], AgentState(AgentStatus.AVAILABLE))[-1].state.status == status
    answered = AgentCause(at(2), True, "call-0", 1, AgentStatus.ON_CALL)
    over = AgentCause(at(2), True, "call-0", 2, AgentStatus.AVAILABLE)
    reported = AgentCause(at(3), False, "report", 0, AgentStatus.AVAILABLE)
    for between in ([answered, over], [missed[1], reported]):
        found = intervals([missed[0], *between, *missed[2:]], AgentState(AgentStatus.AVAILABLE))
        assert found[-1].state.misses == 1


def test_the_state_of_deleted_months_is_carried_over() -> None:
    state = AgentState(AgentStatus.AVAILABLE, (("call", AgentStatus.ON_CALL),), 1)
    carried_state = AgentCause(at(0), False, "", 0, AgentStatus.ON_CALL, 1, state)
    free = AgentCause(at(5), True, "call", 3, AgentStatus.AVAILABLE)
    assert [interval.state.status for interval in intervals([free, carried_state], AgentState())] == [
        "on_call",
        "available",
    ]
