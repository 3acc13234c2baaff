"""The state of a call after its events, and how one more legal event changes it."""

from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.domain.events import (
    Answered,
    AnswerTimedOut,
    Ended,
    EndReason,
    Event,
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
    duration,
)
from shared.domain.fast import fast_frozen


class Status(StrEnum):
    """The statuses in responses. A routed call is waiting until an agent answers."""

    WAITING = "waiting"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    ENDED = "ended"


@fast_frozen
class Offer:
    """An agent's phone rings. `attempt` counts the offers, from 1, since the call last began to wait."""

    agent_id: str
    offered_at: datetime
    attempt: int


@fast_frozen
class Missed:
    """An offer that the agent did not answer in time."""

    agent_id: str
    at: datetime
    offered_at: datetime


class _CachedRules:
    """Slots for the results of cached rules (`fast.cached_rule`), apart from the fields."""

    __slots__ = ("flags", "timers")


@dataclass(frozen=True)
class Call(_CachedRules):
    """The state after the events so far. Durations are in seconds.

    - `last_at`: the time of the latest event.
    - `attempts`, `tried`: the number of offers since the call last began to wait, and their agents.
    - `misses`, `missed_by`: the number of missed offers of the call, and their agents.
    - `missed`: missed offers after which their agents are still away.
    - `hold_excess_seconds`: the time on hold beyond the queue's limit.
    - `metadata`: of the event that began the call. Metadata of later events stays in the history.

    The class has no slots, because each event copies the state by merging two dicts.
    """

    id: str
    type: str
    queue_id: str
    language: str | None
    limits: Limits
    initiated_at: datetime
    last_at: datetime
    history: bool = False
    status: Status = Status.WAITING
    offer: Offer | None = None
    attempts: int = 0
    misses: int = 0
    missed_by: tuple[str, ...] = ()
    transfers: int = 0
    transferred_at: datetime | None = None
    tried: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()
    rerouted: bool = False
    agent_id: str | None = None
    answered_at: datetime | None = None
    answered_again_at: datetime | None = None
    wait_seconds: float | None = None
    holds: int = 0
    held_at: datetime | None = None
    hold_reported_seconds: float = 0
    hold_seconds: float = 0
    longest_hold_seconds: float = 0
    hold_excess_seconds: float = 0
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    duration_seconds: float | None = None
    sla_breached_at: datetime | None = None
    hold_exceeded_at: datetime | None = None
    priority: int | None = None
    version: int = 0
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> "Call":
        """Return a call of all its fields, without checks and defaults. The call keeps the given dict.

        Optimisation: eight times as fast as the constructor, and each event makes a new call.
        `bench/optimisations.py` measures both.
        """
        call = cls.__new__(cls)
        object.__setattr__(call, "__dict__", fields)
        return call

    @property
    def offer_due_at(self) -> datetime | None:
        return self.offer and self.offer.offered_at + duration(self.limits.answer_seconds)

    @property
    def lacks_offer(self) -> bool:
        """Whether Switchboard must find an agent: an offer was missed, or the queue has `routing: switchboard`."""
        switchboard_offers = self.attempts > 0 or self.limits.routing == "switchboard"
        return switchboard_offers and self.status is Status.WAITING and self.offer is None

    @property
    def waiting_since(self) -> datetime | None:
        """The beginning of the call or its last transfer; None if the caller does not wait."""
        return (self.transferred_at or self.initiated_at) if self.status is Status.WAITING else None

    @property
    def talking_since(self) -> datetime | None:
        """The time at which the call's latest agent began to talk."""
        return self.answered_again_at or self.answered_at

    @property
    def sla_due_at(self) -> datetime:
        return self.initiated_at + duration(self.limits.sla_seconds)

    @property
    def hold_due_at(self) -> datetime | None:
        """The deadline of an open hold; None for a hold that was reported with its duration, as it is over."""
        if self.held_at is None or self.hold_reported_seconds > 0:
            return None
        return self.held_at + duration(self.limits.hold_seconds)


_DEFAULTS = {field.name: field.default for field in fields(Call) if field.default is not MISSING}


def begin(event: Event, fact: Initiated) -> Call:
    return Call.of_fields(
        _DEFAULTS
        | {
            "id": event.call_id,
            "type": fact.type,
            "queue_id": fact.queue_id,
            "language": fact.language,
            "limits": fact.limits,
            "initiated_at": event.at,
            "last_at": event.at,
            "history": event.source is Source.IMPORT,
            "priority": fact.priority,
            "version": 1,
            "metadata": event.metadata or {},
        }
    )


def with_missed_offer(call: Call, event: Event) -> Call:
    """Return the call with its open offer missed if the offer's deadline was before telephony's event.

    A timer may not have recorded the miss. The system's own events change nothing here: they are recorded in the order
    of their deadlines.
    """
    offer, due_at = call.offer, call.offer_due_at
    if offer is None or due_at is None or event.at <= due_at or event.is_system or call.history:
        return call
    return Call.of_fields(vars(call) | _missed(call, offer.agent_id, due_at))


def evolve(call: Call, event: Event) -> Call:
    """Return the call after a legal event. The caller has checked the event with `legality.judge`."""
    call = with_missed_offer(call, event)
    changes = _changes(call, event)
    last_at = event.at if event.at > call.last_at else call.last_at
    evolved = vars(call).copy()
    evolved.update(changes)
    evolved["last_at"], evolved["version"] = last_at, call.version + 1
    return Call.of_fields(evolved)


def _changes(call: Call, event: Event) -> dict[str, Any]:
    match event.fact:
        case Routed(agent_id=agent_id) | Offered(agent_id=agent_id) | Rerouted(agent_id=agent_id):
            return _offered(call, agent_id, event.at)
        case NoAnswer(agent_id=agent_id) | AnswerTimedOut(agent_id=agent_id):
            return _missed(call, agent_id, event.at)
        case Answered() as fact:
            return _answered(call, fact, event.at)
        case Held(hold_seconds=reported):
            closed = _hold_closed(call, event.at, resumed=False)
            return closed | {
                "status": Status.ON_HOLD,
                "holds": call.holds + 1,
                "held_at": event.at,
                "hold_reported_seconds": reported,
            }
        case Resumed():
            return _hold_closed(call, event.at, resumed=True) | {"status": Status.ACTIVE}
        case Transferred() as fact:
            return _transferred(call, fact, event.at)
        case Ended() as fact:
            return _ended(call, fact, event.at)
        case SlaBreached():
            return {"sla_breached_at": event.at}
        case HoldExceeded():
            return {"hold_exceeded_at": event.at}
        case Initiated():
            raise AssertionError("judge() refuses a second call_initiated")


def _offered(call: Call, agent_id: str, at: datetime) -> dict[str, Any]:
    attempt = call.attempts + 1
    return {
        "offer": Offer(agent_id, at, attempt),
        "attempts": attempt,
        "tried": (*call.tried, agent_id),
        "missed": _missed_by_others(call, agent_id),
        "rerouted": call.rerouted or attempt > 1,
    }


def _missed_by_others(call: Call, agent_id: str) -> tuple[Missed, ...]:
    return call.missed and tuple(miss for miss in call.missed if miss.agent_id != agent_id)


def _missed(call: Call, agent_id: str, at: datetime) -> dict[str, Any]:
    if call.offer is None or call.offer.agent_id != agent_id:
        return {}  # telephony confirms a recorded miss
    return {
        "offer": None,
        "missed": (*call.missed, Missed(agent_id, at, call.offer.offered_at)),
        "misses": call.misses + 1,
        "missed_by": (*call.missed_by, agent_id),
    }


def _answered(call: Call, fact: Answered, at: datetime) -> dict[str, Any]:
    agent_id = fact.agent_id or (call.offer.agent_id if call.offer else call.tried[-1])
    changes: dict[str, Any] = {
        "status": Status.ACTIVE,
        "agent_id": agent_id,
        "offer": None,
        "missed": _missed_by_others(call, agent_id),
    }
    if call.answered_at is None:
        return changes | {"answered_at": at, "wait_seconds": fact.wait_seconds}
    return changes | {"answered_again_at": at}  # the wait before the first answer is known


def _transferred(call: Call, fact: Transferred, at: datetime) -> dict[str, Any]:
    return _hold_closed(call, at, resumed=False) | {
        "status": Status.WAITING,
        "transfers": call.transfers + 1,
        "transferred_at": at,
        "queue_id": fact.queue_id or call.queue_id,
        "limits": replace(call.limits, routing=fact.routing) if fact.routing else call.limits,
        "agent_id": None,
        "offer": Offer(fact.agent_id, at, 1) if fact.agent_id else None,
        "missed": _missed_by_others(call, fact.agent_id) if fact.agent_id else call.missed,
        "attempts": 1 if fact.agent_id else 0,
        "tried": (fact.agent_id,) if fact.agent_id else (),
    }


def _ended(call: Call, fact: Ended, at: datetime) -> dict[str, Any]:
    waited = call.wait_seconds if call.answered_at else max((at - call.initiated_at).total_seconds(), 0.0)
    return _hold_closed(call, at, resumed=False) | {
        "status": Status.ENDED,
        "offer": None,
        "ended_at": at,
        "end_reason": fact.reason,
        "duration_seconds": fact.duration_seconds,
        "wait_seconds": waited,
    }


def _hold_closed(call: Call, at: datetime, *, resumed: bool) -> dict[str, Any]:
    """Close an open hold. It counts with its reported or its observed length, whichever is longer.

    A hold that was reported with its duration, and that no `call_resumed` ends, counts as reported.
    """
    if call.held_at is None:
        return {}
    seconds = call.hold_reported_seconds
    if resumed or not seconds:
        seconds = max(seconds, (at - call.held_at).total_seconds())
    return {
        "held_at": None,
        "hold_reported_seconds": 0,
        "hold_seconds": call.hold_seconds + seconds,
        "longest_hold_seconds": max(call.longest_hold_seconds, seconds),
        "hold_excess_seconds": call.hold_excess_seconds + max(seconds - call.limits.hold_seconds, 0.0),
    }
