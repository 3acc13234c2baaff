"""Whether an event is legal, deferred, illegal or void at its place in a call."""

from enum import StrEnum

from shared.domain.call import Call, Status
from shared.domain.events import (
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
)

IN_CONVERSATION = (Status.ACTIVE, Status.ON_HOLD)


class Verdict(StrEnum):
    """The verdict on an event at its time."""

    LEGAL = "legal"
    DEFERRED = "deferred"  # its predecessor is missing and may still arrive
    ILLEGAL = "illegal"  # no later event can make it legal
    VOID = "void"  # a system event that is impossible beside the reported events


def judge(call: Call | None, event: Event) -> Verdict:
    """Return the verdict on an event that follows all events of the call so far."""
    if call is None:
        if isinstance(event.fact, Initiated):
            return Verdict.LEGAL
        return Verdict.VOID if event.is_system else Verdict.DEFERRED
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
            return _legal_or_deferred(call.attempts > 0)
        case NoAnswer(agent_id=agent_id):
            offered = call.offer is not None and call.offer.agent_id == agent_id
            return _legal_or_deferred(offered or any(miss.agent_id == agent_id for miss in call.missed))
        case Held() | Transferred():
            return _legal_or_deferred(call.status in IN_CONVERSATION)
        case Resumed():
            return _legal_or_deferred(call.status is Status.ON_HOLD)
        case Ended(reason=reason):
            return _legal_or_deferred(call.answered_at is not None or reason is not EndReason.COMPLETED)
        case Initiated() | SlaBreached() | AnswerTimedOut() | Offered() | Rerouted() | HoldExceeded():
            return Verdict.ILLEGAL


def _legal_or_deferred(legal: bool) -> Verdict:
    return Verdict.LEGAL if legal else Verdict.DEFERRED


def _step_back(event: Event) -> Verdict:
    """Judge a route or an answer during a conversation. If it is dated, the transfer before it may still arrive."""
    return Verdict.DEFERRED if event.dated else Verdict.ILLEGAL


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
