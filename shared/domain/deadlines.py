"""The deadlines of a call: its timers, the flags it earned, and what the system records when a timer is due."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shared.domain.call import Call, Status
from shared.domain.events import AnswerTimedOut, HoldExceeded, SlaBreached, duration
from shared.domain.fast import cached_rule


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
    DEFERRED = "deferred"


class Timer(NamedTuple):
    kind: TimerKind
    due_at: datetime


@cached_rule
def flags(call: Call) -> tuple[Flag, ...]:
    """Return the call's flags. They follow from its figures, even if no timer recorded an event."""
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


def required_timers(call: Call | None) -> Mapping[TimerKind, datetime]:
    """Return the due time of each timer that the call needs now. They follow from the state, so a late event corrects
    them.
    """
    return timers(call) if call else _NONE


@cached_rule
def timers(call: Call) -> Mapping[TimerKind, datetime]:
    if call.history:
        return _NONE
    due: dict[TimerKind, datetime] = {}
    status = call.status
    if status is Status.WAITING:
        if call.answered_at is None and call.sla_breached_at is None:
            due[TimerKind.SLA_WAIT] = call.sla_due_at
        if offer_due_at := call.offer_due_at:
            due[TimerKind.ANSWER] = offer_due_at
    elif status is Status.ON_HOLD:
        if call.hold_exceeded_at is None and (hold_due_at := call.hold_due_at):
            due[TimerKind.HOLD] = hold_due_at
    elif call.ended_at and call.agent_id and call.limits.wrap_up_seconds:
        due[TimerKind.WRAP_UP] = call.ended_at + duration(call.limits.wrap_up_seconds)
    return due


def next_deadline(call: Call) -> Timer | None:
    """Return the caller's next deadline. The end of a wrap-up is not one."""
    first: TimerKind | None = None
    due = timers(call)
    for kind, due_at in due.items():
        if kind is not TimerKind.WRAP_UP and (first is None or due_at < due[first]):
            first = kind
    return Timer(first, due[first]) if first else None


def conclusion(call: Call, kind: TimerKind) -> SlaBreached | AnswerTimedOut | HoldExceeded | None:
    """Return the event that the system records when a timer is due; None if the call no longer needs it."""
    match kind:
        case TimerKind.SLA_WAIT:
            return SlaBreached()
        case TimerKind.ANSWER if call.offer:
            return AnswerTimedOut(call.offer.agent_id, call.offer.attempt)
        case TimerKind.HOLD:
            return HoldExceeded()
        case _:
            return None
