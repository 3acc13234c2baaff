"""The rules as tables: what is legal when, what follows, and that no order of arrival can matter."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agent import AgentStatus, agent_effects, assignments
from shared.domain.call import Call, Status
from shared.domain.deadlines import Flag, TimerKind, flags, required_timers
from shared.domain.events import (
    Answered,
    AnswerTimedOut,
    Ended,
    EndReason,
    Event,
    Fact,
    Held,
    HoldExceeded,
    Initiated,
    Limits,
    NoAnswer,
    Offered,
    Rerouted,
    Resumed,
    Routed,
    SlaBreached,
    Source,
    Transferred,
)
from shared.domain.fold import fold, in_order
from shared.domain.legality import Verdict, judge

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
INITIATED = Initiated("voice", "medical_spanish", "es", Limits(wrap_up_seconds=20))
SYSTEM = (SlaBreached, AnswerTimedOut, Offered, Rerouted, HoldExceeded)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(fact: Fact, seconds: float, *, dated: bool = True, id: str | None = None, **fields: Any) -> Event:
    source = Source.SYSTEM if isinstance(fact, SYSTEM) else Source.TELEPHONY
    name = id or f"{type(fact).__name__}@{seconds}"
    return Event(name, "call-1", fact, at(seconds), at(seconds), dated=dated, source=source, **fields)


def call_after(*steps: tuple[Fact, float]) -> Call:
    call = fold(event(fact, seconds) for fact, seconds in [(INITIATED, 0.0), *steps]).call
    assert call is not None
    return call


OFFERED: tuple[Fact, float] = (Routed("a", 1), 2)
ANSWERED: tuple[Fact, float] = (Answered(8), 8)
HELD: tuple[Fact, float] = (Held(0), 20)
ENDED: tuple[Fact, float] = (Ended(EndReason.COMPLETED, 90), 100)

STATES: dict[str, Call | None] = {
    "none": None,
    "waiting": call_after(),
    "offered": call_after(OFFERED),
    "active": call_after(OFFERED, ANSWERED),
    "on_hold": call_after(OFFERED, ANSWERED, HELD),
    "ended": call_after(OFFERED, ANSWERED, ENDED),
}
L, E, X, V = Verdict.LEGAL, Verdict.DEFERRED, Verdict.ILLEGAL, Verdict.VOID
#                                        none waiting offered active on_hold ended
TABLE: list[tuple[Fact, tuple[Verdict, ...]]] = [
    (INITIATED,                          (L,  X,      X,      X,     X,      X)),
    (Routed("b", 1),                     (E,  L,      L,      X,     X,      X)),
    (NoAnswer("a"),                      (E,  E,      L,      E,     E,      X)),
    (Answered(9),                        (E,  E,      L,      X,     X,      X)),
    (Held(0),                            (E,  E,      E,      L,     L,      X)),
    (Resumed(),                          (E,  E,      E,      E,     L,      X)),
    (Transferred(agent_id="b"),          (E,  E,      E,      L,     L,      X)),
    (Ended(EndReason.COMPLETED, 90),     (E,  E,      E,      L,     L,      X)),
    (Ended(EndReason.ABANDONED, 0),      (E,  L,      L,      L,     L,      X)),
    (Ended(EndReason.FAILED, 0),         (E,  L,      L,      L,     L,      X)),
    (SlaBreached(),                      (V,  L,      L,      V,     V,      V)),
    (AnswerTimedOut("a", 1),             (V,  V,      L,      V,     V,      V)),
    (Offered("b"),                       (V,  V,      V,      V,     V,      V)),  # telephony routes this queue
    (Rerouted("b"),                      (V,  V,      V,      V,     V,      V)),  # nothing lapsed
    (HoldExceeded(),                     (V,  V,      V,      V,     L,      V)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "state", "verdict"),
    [
        pytest.param(fact, state, verdict, id=f"{type(fact).__name__} when {state}")
        for fact, verdicts in TABLE
        for state, verdict in zip(STATES, verdicts, strict=True)
    ],
)
def test_each_fact_in_each_state(fact: Fact, state: str, verdict: Verdict) -> None:
    assert judge(STATES[state], event(fact, 200, dated=False)) is verdict


@pytest.mark.parametrize("fact", [Routed("b", 1), Answered(9)])
def test_a_dated_step_back_may_be_waiting_for_a_transfer(fact: Fact) -> None:
    assert judge(STATES["active"], event(fact, 200, dated=True)) is Verdict.DEFERRED


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([OFFERED, (Answered(30), 30)], (), id="30 s is in time"),
        pytest.param([OFFERED, (Answered(30.5), 8)], (Flag.SLA_BREACHED,), id="the sender says that it waited longer"),
        pytest.param([OFFERED, (Answered(0), 30.5)], (Flag.SLA_BREACHED,), id="the clock says so"),
        pytest.param([(Ended(EndReason.ABANDONED, 0), 31)], (Flag.SLA_BREACHED,), id="never answered"),
        pytest.param([(Ended(EndReason.ABANDONED, 0), 5)], (), id="an abandoned call is not a short one"),
        pytest.param([OFFERED, ANSWERED, (Ended(EndReason.COMPLETED, 9.9), 20)], (Flag.SHORT_CALL,), id="short"),
        pytest.param([OFFERED, ANSWERED, (Ended(EndReason.COMPLETED, 10), 20)], (), id="10 s is not short"),
        pytest.param([OFFERED, (Routed("b", 1), 9), (Answered(12), 12)], (Flag.REROUTED,), id="a second offer"),
        pytest.param([OFFERED, ANSWERED, (Held(60), 20)], (), id="60 s of hold are permitted"),
        pytest.param([OFFERED, ANSWERED, (Held(61), 20)], (Flag.HOLD_EXCEEDED,), id="61 s reported at once"),
        pytest.param([OFFERED, ANSWERED, HELD, (Resumed(), 81)], (Flag.HOLD_EXCEEDED,), id="61 s from hold to resume"),
        pytest.param([OFFERED, ANSWERED, HELD, (Resumed(), 60), (Held(0), 70), (Resumed(), 110)], (), id="two of 40 s"),
    ],
)
def test_flags_follow_from_the_figures(steps: list[tuple[Fact, float]], expected: tuple[Flag, ...]) -> None:
    assert flags(call_after(*steps)) == expected


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        pytest.param([(Held(25), 20), ENDED], 25, id="reported at once"),
        pytest.param([(Held(0), 20), (Resumed(), 45), ENDED], 25, id="hold and resume"),
        pytest.param([(Held(25), 20), (Resumed(), 45), ENDED], 25, id="both ways are not counted twice"),
        pytest.param([(Held(0), 75), ENDED], 25, id="the end ends the hold"),
        pytest.param([(Held(10), 20), (Held(15), 50), ENDED], 25, id="several add up"),
    ],
)
def test_a_hold_counts_the_same_however_it_is_reported(steps: list[tuple[Fact, float]], seconds: float) -> None:
    assert call_after(OFFERED, ANSWERED, *steps).hold_seconds == seconds


@pytest.mark.parametrize(
    ("steps", "owed"),
    [
        pytest.param([], {TimerKind.SLA_WAIT: 30}, id="waiting"),
        pytest.param([OFFERED], {TimerKind.SLA_WAIT: 30, TimerKind.ANSWER: 17}, id="offered"),
        pytest.param([OFFERED, (AnswerTimedOut("a", 1), 17)], {TimerKind.SLA_WAIT: 30}, id="no agent left"),
        pytest.param([OFFERED, (SlaBreached(), 30)], {TimerKind.ANSWER: 17}, id="breached once"),
        pytest.param([OFFERED, ANSWERED], {}, id="active"),
        pytest.param([OFFERED, ANSWERED, HELD], {TimerKind.HOLD: 80}, id="on hold"),
        pytest.param([OFFERED, ANSWERED, (Held(5), 20)], {}, id="a hold that is over"),
        pytest.param([OFFERED, ANSWERED, ENDED], {TimerKind.WRAP_UP: 120}, id="wrapping up"),
        pytest.param([(Ended(EndReason.ABANDONED, 0), 5)], {}, id="abandoned"),
    ],
)
def test_the_timers_owed_are_a_function_of_the_state(
    steps: list[tuple[Fact, float]], owed: dict[TimerKind, float]
) -> None:
    assert required_timers(call_after(*steps)) == {kind: at(seconds) for kind, seconds in owed.items()}


def test_history_has_no_timers_and_moves_no_agents() -> None:
    events = [event(INITIATED, 0), event(*OFFERED)]
    history = [Event(e.id, e.call_id, e.fact, e.at, e.received_at, True, Source.IMPORT) for e in events]
    call = fold(history).call
    assert call is not None
    assert required_timers(call) == {}
    assert assignments(call) == {}


def test_an_answer_known_late_takes_the_reroute_back() -> None:
    live = [event(INITIATED, 0), event(*OFFERED), event(AnswerTimedOut("a", 1), 17), event(Rerouted("b"), 17.1)]
    before, after = fold(live), fold([*live, event(Answered(14), 14)])
    assert [name for name, verdict in after.verdicts.items() if verdict is Verdict.VOID] == [
        "AnswerTimedOut@17",
        "Rerouted@17.1",
    ]
    effects = {e.agent_id: e.status for e in agent_effects(before.call, after.call, at(18))}
    assert effects == {"a": AgentStatus.ON_CALL, "b": AgentStatus.AVAILABLE}


def test_an_undated_event_is_placed_after_its_predecessor() -> None:
    folded = fold([event(INITIATED, 0), event(Answered(3), 4, dated=False), event(Routed("a", 1), 6, dated=False)])
    assert folded.call is not None
    assert folded.call.status is Status.ACTIVE
    assert folded.call.answered_at == at(6) + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("before", "tied", "then"),
    [
        pytest.param([OFFERED], [NoAnswer("a"), Routed("b", 1)], [Answered(12)], id="the next ring"),
        pytest.param([], [Routed("a", 1), NoAnswer("a")], [Routed("b", 1), Answered(12)], id="a ring declined at once"),
        pytest.param([OFFERED], [Answered(8), Held(0)], [Resumed()], id="held at once"),
        pytest.param([OFFERED], [Answered(8), Transferred("legal_spanish")], [Routed("b", 1)], id="passed on at once"),
        pytest.param([OFFERED, ANSWERED], [Held(0), Resumed()], [Held(0)], id="a moment's hold"),
        pytest.param([OFFERED, ANSWERED, (Held(0), 9)], [Resumed(), Held(0)], [Resumed()], id="from hold to hold"),
        pytest.param(
            [OFFERED, ANSWERED, (Held(0), 9)], [Resumed(), Transferred(None, "b")], [Answered(1)], id="off hold"
        ),
        pytest.param([OFFERED, ANSWERED], [Held(0), Transferred(None, "b")], [Answered(1)], id="held to be passed on"),
        pytest.param(
            [OFFERED, ANSWERED], [Transferred(None), Routed("b", 1), Answered(1)], [], id="passed on, answered"
        ),
        pytest.param([OFFERED], [Answered(8), Ended(EndReason.COMPLETED, 0)], [], id="hung up at once"),
    ],
)
def test_events_of_one_instant_get_a_possible_order(
    before: list[tuple[Fact, float]], tied: list[Fact], then: list[Fact]
) -> None:
    """Whichever ids the events have, and in the order in which they make the call."""
    facts = [INITIATED, *(fact for fact, _ in before), *tied, *then]
    for names in permutations(["x", "y", "z"], len(tied)):
        events = [event(INITIATED, 0), *(event(*step) for step in before)]
        events += [event(fact, 10, id=name) for fact, name in zip(tied, names, strict=True)]
        events += [event(fact, 20 + later) for later, fact in enumerate(then)]
        assert set(fold(reversed(events)).verdicts.values()) == {Verdict.LEGAL}
        assert [known.fact for known in in_order(reversed(events))] == facts


def test_a_sequence_is_believed_though_its_order_is_not_possible() -> None:
    events = [event(INITIATED, 0), event(*OFFERED), event(*ANSWERED)]
    events += [event(Resumed(), 10, sequence=1), event(Held(0), 10, sequence=2)]
    folded = fold(events)
    assert folded.verdicts["Resumed@10"] is Verdict.DEFERRED
    assert folded.call and folded.call.status is Status.ON_HOLD


@st.composite
def lifecycles(draw: st.DrawFn) -> list[Event]:
    """A legal life of a call: offers that are missed or superseded, holds of both kinds, a transfer, an end or none."""
    events: list[Event] = []
    now = 0.0
    digits = draw(st.sampled_from([0, 3]), label="of a second")  # with none, several things happen at one instant
    is_counted = draw(st.booleans(), label="with a sequence")

    def happen(fact: Fact, least: float = 0.0) -> None:
        nonlocal now
        now += draw(st.floats(least, 20, allow_nan=False).map(lambda seconds: round(seconds, digits)))
        events.append(event(fact, now, id=f"e{len(events)}", sequence=len(events) if is_counted else None))

    happen(INITIATED)
    for _ in range(draw(st.integers(1, 2))):
        for number in range(draw(st.integers(0, 3))):
            happen(Routed(f"agent-{number}", 1), 0.001)
            if draw(st.booleans()):
                happen(NoAnswer(f"agent-{number}"), 0.001)
        if draw(st.booleans()):
            happen(Ended(EndReason.ABANDONED, 0), 0.001)
            return events
        happen(Routed("agent-9", 1), 0.001)
        happen(Answered(draw(st.integers(0, 60))), 0.001)
        for _ in range(draw(st.integers(0, 3))):
            happen(Held(draw(st.sampled_from([0, 0, 15, 70]))), 0.001)
            if draw(st.booleans()):
                happen(Resumed(), 0.001)
        if draw(st.booleans()):
            happen(Transferred(draw(st.sampled_from([None, "legal_spanish"])), None), 0.001)
        else:
            break
    if (
        draw(st.booleans())
        and events[-1].fact != Transferred(None, None)
        and not isinstance(events[-1].fact, Transferred)
    ):
        happen(Ended(EndReason.COMPLETED, draw(st.integers(0, 60))), 0.001)
    return events


@given(lifecycles(), st.randoms(use_true_random=False))
def test_a_fold_does_not_depend_on_the_order_of_events(events: list[Event], random: Any) -> None:
    shuffled = [*events]
    random.shuffle(shuffled)
    folded = fold(shuffled)
    assert folded == fold(events)
    if events[0].sequence is not None:
        assert set(folded.verdicts.values()) == {Verdict.LEGAL}


@given(lifecycles(), st.data())
def test_no_event_of_a_legal_call_is_refused_in_any_order(events: list[Event], data: st.DataObject) -> None:
    """What makes arrival order irrelevant: an event that will turn out legal is never judged impossible before."""
    known = [e for e in events if data.draw(st.booleans())]
    assert Verdict.ILLEGAL not in fold(known).verdicts.values()


def test_a_transfer_keeps_the_misses() -> None:
    before = call_after(OFFERED, (NoAnswer("a"), 5), (Routed("b", 1), 6), (Answered(8), 8))
    after = call_after(OFFERED, (NoAnswer("a"), 5), (Routed("b", 1), 6), (Answered(8), 8), (Transferred(None), 30))
    effects = {effect.agent_id: effect.status for effect in agent_effects(before, after, at(30))}
    assert effects == {"b": AgentStatus.AVAILABLE}
