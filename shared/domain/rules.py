"""What is legal when, what follows from a state, and the fold that makes a call of its events."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import wraps
from itertools import groupby
from typing import NamedTuple, TypeVar

from shared.domain.call import Call, Status, begin, evolve
from shared.domain.facts import (
    Answered,
    AnswerTimedOut,
    Ended,
    EndReason,
    Event,
    Held,
    HoldExceeded,
    Initiated,
    NoAnswer,
    Offered,
    Rerouted,
    Resumed,
    Routed,
    SlaBreached,
    Transferred,
    span,
)

AN_INSTANT = timedelta(microseconds=1)
FEW = 5  # events of one instant whose order is searched for: each more takes so many times as long
IN_CONVERSATION = (Status.ACTIVE, Status.ON_HOLD)


class Verdict(StrEnum):
    """What an event is at its place in time."""

    LEGAL = "legal"
    EARLY = "early"  # its predecessor is missing and may yet come
    ILLEGAL = "illegal"  # nothing that may come can make it legal
    VOID = "void"  # a conclusion of the system that the facts disprove


class Flag(StrEnum):
    SLA_BREACHED = "sla_breached"
    HOLD_EXCEEDED = "hold_exceeded"
    SHORT_CALL = "short_call"
    REROUTED = "rerouted"


class TimerKind(StrEnum):
    SLA_WAIT = "sla_wait"
    ANSWER = "answer"
    HOLD = "hold"
    WRAP_UP = "wrap_up"
    PARKED = "parked"


class Timer(NamedTuple):
    kind: TimerKind
    due_at: datetime


def judge(call: Call | None, event: Event) -> Verdict:
    """The verdict on `event`, coming next after all that `call` has seen."""
    if call is None:
        if isinstance(event.fact, Initiated):
            return Verdict.LEGAL
        return Verdict.VOID if event.is_system else Verdict.EARLY
    if call.status is Status.ENDED or isinstance(event.fact, Initiated):
        return Verdict.VOID if event.is_system else Verdict.ILLEGAL
    if event.is_system:
        return Verdict.LEGAL if _still_true(call, event) else Verdict.VOID
    return _judge_report(call, event)


def _judge_report(call: Call, event: Event) -> Verdict:
    match event.fact:
        case Routed():
            return Verdict.LEGAL if call.status is Status.WAITING else _step_back(event)
        case Answered():
            if call.status is not Status.WAITING:
                return _step_back(event)
            return _legal_or_early(call.attempts > 0)
        case NoAnswer(agent_id=agent_id):
            offered = call.offer is not None and call.offer.agent_id == agent_id
            return _legal_or_early(offered or any(miss.agent_id == agent_id for miss in call.missed))
        case Held() | Transferred():
            return _legal_or_early(call.status in IN_CONVERSATION)
        case Resumed():
            return _legal_or_early(call.status is Status.ON_HOLD)
        case Ended(reason=reason):
            return _legal_or_early(call.answered_at is not None or reason is not EndReason.COMPLETED)
        case Initiated() | SlaBreached() | AnswerTimedOut() | Offered() | Rerouted() | HoldExceeded():
            return Verdict.ILLEGAL


def _legal_or_early(legal: bool) -> Verdict:
    return Verdict.LEGAL if legal else Verdict.EARLY


def _step_back(event: Event) -> Verdict:
    """A route or an answer in the middle of a conversation: a dated one may be waiting for a transfer to come in."""
    return Verdict.EARLY if event.dated else Verdict.ILLEGAL


def _still_true(call: Call, event: Event) -> bool:
    match event.fact:
        case SlaBreached():
            unanswered = call.status is Status.WAITING and call.answered_at is None
            return unanswered and call.sla_breached_at is None and event.at >= call.sla_due_at
        case AnswerTimedOut(agent_id=agent_id, attempt=attempt):
            offer, due_at = call.offer, call.offer_due_at
            lapsed = due_at is not None and event.at >= due_at
            return lapsed and offer is not None and (offer.agent_id, offer.attempt) == (agent_id, attempt)
        case Offered() | Rerouted():
            return call.lacks_offer
        case HoldExceeded():
            due_at = call.hold_due_at
            return due_at is not None and event.at >= due_at
        case _:
            return False


T = TypeVar("T")


def concluded(rule: Callable[[Call], T]) -> Callable[[Call], T]:
    """Work out what follows from a state once: it is asked for by the record, by the floor and by the answer."""
    name = rule.__name__

    @wraps(rule)
    def known(call: Call) -> T:
        found = getattr(call, name, None)
        if found is None:
            found = rule(call)
            object.__setattr__(call, name, found)
        return found

    return known


@concluded
def flags(call: Call) -> tuple[Flag, ...]:
    """What went wrong with a call, from its figures: they hold whether or not a timer saw it live."""
    limits, answered = call.limits, call.answered_at
    waited = max(call.wait_seconds or 0, (answered - call.initiated_at).total_seconds() if answered else 0)
    short = answered is not None and (call.duration_seconds or 0) < limits.short_call_seconds
    raised: list[Flag] = []
    if call.sla_breached_at is not None or waited > limits.sla_seconds:
        raised.append(Flag.SLA_BREACHED)
    if (
        call.hold_exceeded_at is not None
        or max(call.longest_hold_seconds, call.hold_reported_seconds) > limits.hold_seconds
    ):
        raised.append(Flag.HOLD_EXCEEDED)
    if short and call.status is Status.ENDED:
        raised.append(Flag.SHORT_CALL)
    if call.rerouted:
        raised.append(Flag.REROUTED)
    return tuple(raised)


_NONE: Mapping[TimerKind, datetime] = {}


def timers_owed(call: Call | None) -> Mapping[TimerKind, datetime]:
    """When each promise that is still open falls due: a function of the state, so that a late event can only correct
    them.
    """
    return timers(call) if call else _NONE


@concluded
def timers(call: Call) -> Mapping[TimerKind, datetime]:
    if call.history:
        return _NONE
    owed: dict[TimerKind, datetime] = {}
    status = call.status
    if status is Status.WAITING:
        if call.answered_at is None and call.sla_breached_at is None:
            owed[TimerKind.SLA_WAIT] = call.sla_due_at
        if offer_due_at := call.offer_due_at:
            owed[TimerKind.ANSWER] = offer_due_at
    elif status is Status.ON_HOLD:
        if call.hold_exceeded_at is None and (hold_due_at := call.hold_due_at):
            owed[TimerKind.HOLD] = hold_due_at
    elif call.ended_at and call.agent_id and call.limits.wrap_up_seconds:
        owed[TimerKind.WRAP_UP] = call.ended_at + span(call.limits.wrap_up_seconds)
    return owed


def next_promise(call: Call) -> Timer | None:
    """The promise that falls due next; wrapping up is the agent's, not the caller's."""
    first: TimerKind | None = None
    owed = timers(call)
    for kind, due_at in owed.items():
        if kind is not TimerKind.WRAP_UP and (first is None or due_at < owed[first]):
            first = kind
    return Timer(first, owed[first]) if first else None


def conclusion(call: Call, kind: TimerKind) -> SlaBreached | AnswerTimedOut | HoldExceeded | None:
    """What the system records when a timer of this kind comes due on this call; None where it is owed no more."""
    match kind:
        case TimerKind.SLA_WAIT:
            return SlaBreached()
        case TimerKind.ANSWER if call.offer:
            return AnswerTimedOut(call.offer.agent_id, call.offer.attempt)
        case TimerKind.HOLD:
            return HoldExceeded()
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Folded:
    """A call, what each event turned out to be, and undated events that found a later place than their receipt."""

    call: Call | None
    verdicts: dict[str, Verdict]
    moved: dict[str, Event]


def fold(events: Iterable[Event]) -> Folded:
    """Make the call of a set of events, given in any order.

    A dated event stands at its own time. An undated one that came too early takes the first place after its receipt
    where it is legal: behind the event that it was waiting for. Once all have their places, they keep them: the same
    events fold to the same call again.
    """
    placed = {event.id: event for event in events}
    moved: dict[str, Event] = {}
    while True:
        folded = _fold_in_place(placed.values())
        if not folded.moved:
            return Folded(folded.call, folded.verdicts, moved)
        moved |= folded.moved
        placed |= folded.moved


def _fold_in_place(events: Iterable[Event]) -> Folded:
    """One pass. Every move is to a later place behind an event that is there, so that passes come to an end."""
    call: Call | None = None
    verdicts: dict[str, Verdict] = {}
    moved: dict[str, Event] = {}
    waiting: list[Event] = []
    for tied in _by_instant(events):
        pending = (_possible(tied, call) if 1 < len(tied) <= FEW else None) or tied
        while pending:
            event = _next_of(pending, call)
            pending.remove(event)
            verdicts[event.id] = verdict = judge(call, event)
            if verdict is Verdict.EARLY and not event.dated:
                waiting.append(event)
            if verdict is not Verdict.LEGAL:
                continue
            call = append(call, event)
            while released := next((e for e in waiting if judge(call, e) is Verdict.LEGAL), None):
                waiting.remove(released)
                call, moved[released.id] = _behind(call, released)
                verdicts[released.id] = Verdict.LEGAL
    return Folded(call, verdicts, moved)


def _by_instant(events: Iterable[Event]) -> Iterator[list[Event]]:
    ordered = sorted(events, key=lambda event: event.order)
    return (list(tied) for _, tied in groupby(ordered, key=lambda event: event.order[:3]))


def _possible(tied: Sequence[Event], call: Call | None) -> list[Event] | None:
    """A clock that knows seconds only sees the end of one ring and the next at once, or a hold and a transfer. Where no
    sequence tells which came first: the first order in which all of them are legal, if there is one.
    """
    if not tied:
        return []
    for event in tied:
        if judge(call, event) is Verdict.LEGAL:
            others = [other for other in tied if other is not event]
            if (rest := _possible(others, append(call, event))) is not None:
                return [event, *rest]
        if event.sequence is not None:
            break
    return None


def _next_of(pending: Sequence[Event], call: Call | None) -> Event:
    """Where no order makes all legal, what is legal comes first; but nothing comes after the end."""
    if len(pending) > 1:
        for event in pending:
            if isinstance(event.fact, Ended):
                break
            if judge(call, event) is Verdict.LEGAL:
                return event
            if event.sequence is not None:
                break
    return pending[0]


def in_order(events: Iterable[Event]) -> list[Event]:
    """In the order in which they make the call."""
    known = {event.id: event for event in events}
    return [known[event_id] for event_id in _fold_in_place(known.values()).verdicts]


def _behind(call: Call, event: Event) -> tuple[Call, Event]:
    placed = event.moved(max(event.at, call.last_at + AN_INSTANT))
    return evolve(call, placed), placed


def append(call: Call | None, event: Event) -> Call:
    """The call after a legal event that comes next."""
    if call is not None:
        return evolve(call, event)
    if not isinstance(event.fact, Initiated):
        raise AssertionError("judge() lets a call begin with nothing but its initiation")
    return begin(event, event.fact)
