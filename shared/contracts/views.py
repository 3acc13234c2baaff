"""The views of calls, events, agents and queues, and the pages that contain them."""

from collections.abc import Callable
from typing import Any, Literal, Self, TypeVar

from pydantic import Field

from shared.contracts.base import Contract, Moment, RoutingName, StrategyName
from shared.domain import events
from shared.domain.call import Call
from shared.domain.deadlines import flags, next_deadline
from shared.domain.events import Event, Initiated, Source

V = TypeVar("V")
FlagName = Literal["sla_breached", "hold_exceeded", "short_call", "rerouted"]


class OfferView(Contract):
    """The open offer of a call: an agent's phone rings until `dueAt`."""

    agent_id: str
    offered_at: Moment
    due_at: Moment
    attempt: int


class DeadlineView(Contract):
    """The next deadline of a call."""

    kind: Literal["answer", "sla_wait", "hold"]
    due_at: Moment


class CallView(Contract):
    """The current view of a call. Of two views of one call, the one with the higher version is newer."""

    id: str
    type: Literal["voice", "video"]
    status: Literal["waiting", "active", "on_hold", "ended"]
    queue_id: str
    language: str | None
    start_time: Moment
    end_time: Moment | None
    agent_id: str | None
    waiting_since: Moment | None = Field(
        default=None, description="the time since which the caller waits, at first or after a transfer"
    )
    wait_seconds: float | None = Field(description="the wait before the first answer")
    hold_seconds: float
    duration_seconds: float | None
    end_reason: Literal["completed", "abandoned", "failed"] | None
    flags: list[FlagName]
    offer: OfferView | None
    deadline: DeadlineView | None
    priority: int | None
    version: int
    metadata: dict[str, Any]

    @classmethod
    def of(cls, call: Call) -> Self:
        return fill_call(call, cls.trusted, OfferView.trusted, DeadlineView.trusted)


def fill_call(
    call: Call, make_call: Callable[..., V], make_offer: Callable[..., object], make_deadline: Callable[..., object]
) -> V:
    """Make a `CallView` of a call, as an instance or as JSON: the functions take the fields of each view by name."""
    offer, deadline = call.offer, next_deadline(call)
    return make_call(
        id=call.id,
        type=call.type,
        status=call.status,
        queue_id=call.queue_id,
        language=call.language,
        start_time=call.initiated_at,
        end_time=call.ended_at,
        agent_id=call.agent_id or (offer.agent_id if offer else None),
        waiting_since=call.waiting_since,
        wait_seconds=call.wait_seconds,
        hold_seconds=call.hold_seconds + call.hold_reported_seconds,
        duration_seconds=call.duration_seconds,
        end_reason=call.end_reason,
        flags=list(flags(call)),
        offer=offer
        and make_offer(
            agent_id=offer.agent_id, offered_at=offer.offered_at, due_at=call.offer_due_at, attempt=offer.attempt
        ),
        deadline=deadline and make_deadline(kind=deadline.kind, due_at=deadline.due_at),
        priority=call.priority,
        version=call.version,
        metadata=call.metadata,
    )


# The names of a fact's fields in events. Other fields keep their own name.
_EVENT_NAMES = {
    "agent_id": "agentId",
    "queue_id": "queueId",
    "routing_seconds": "routingTime",
    "wait_seconds": "waitTime",
    "hold_seconds": "holdDuration",
    "reason": "endReason",
    "duration_seconds": "duration",
}


class EventView(Contract):
    """An event in a call's history. `metadata` contains the sender's metadata and the event's fields."""

    id: str
    call_id: str
    type: str
    timestamp: Moment = Field(description="the time of the event: occurredAt, or else receivedAt")
    occurred_at: Moment | None
    received_at: Moment
    source: Literal["telephony", "system", "history"]
    record_id: int = Field(
        description="the event's row number in the event log; it orders events of one instant by when they were "
        "recorded, and is not a position of the feed"
    )
    version: int | None
    void: bool
    metadata: dict[str, Any]

    @classmethod
    def of(cls, event: Event, *, record_id: int, version: int | None, void: bool) -> Self:
        return fill_event(event, cls.trusted, record_id=record_id, version=version, void=void)


def fill_event(event: Event, make: Callable[..., V], *, record_id: int, version: int | None, void: bool) -> V:
    """Make an `EventView` of an event, as an instance or as JSON: `make` takes the fields of the view by name."""
    return make(
        id=event.id,
        call_id=event.call_id,
        type=event.name,
        timestamp=event.at,
        occurred_at=event.at if event.dated or event.source is Source.SYSTEM else None,
        received_at=event.received_at,
        source=event.source,
        record_id=record_id,
        version=version,
        void=void,
        metadata=(event.metadata or {}) | fact_json(event.fact),
    )


def fact_json(fact: events.Fact) -> dict[str, Any]:
    """Return the fields of a fact that have a value, by their names in events."""
    fields = {name: value for field, name in _FACT_FIELDS[type(fact)] if (value := getattr(fact, field)) is not None}
    if isinstance(fact, Initiated):
        fields["slaSeconds"] = fact.limits.sla_seconds
    return fields


# For each fact: a field and its name in events.
_FACT_FIELDS: dict[type[events.Fact], tuple[tuple[str, str], ...]] = {
    kind: tuple(
        (field, _EVENT_NAMES.get(field, field))
        for field in kind.__dataclass_fields__
        if field not in ("limits", "routing")
    )
    for kind in events.NAMES
}


class AlertView(Contract):
    """A flag that an event raised on a call."""

    id: str = Field(description="the id of the event that raised the flag")
    call_id: str
    queue_id: str
    flag: FlagName
    raised_at: Moment
    withdrawn: bool = Field(description="true if a late event disproved it")

    @classmethod
    def of(cls, event: EventView, call: CallView) -> Self | None:
        """Return the alert that an event raised or withdrew; None if there is none."""
        flag = RAISED_BY.get(event.type)
        if flag is None or (flag == "short_call" and flag not in call.flags):
            return None
        return cls.trusted(
            id=event.id,
            call_id=call.id,
            queue_id=call.queue_id,
            flag=flag,
            raised_at=event.timestamp,
            withdrawn=event.void,
        )


RAISED_BY: dict[str, FlagName] = {
    "sla_breached": "sla_breached",
    "hold_exceeded": "hold_exceeded",
    "call_rerouted": "rerouted",
    "call_ended": "short_call",
}

AgentStatusName = Literal["offline", "available", "offered", "on_call", "wrap_up", "away"]


class AgentView(Contract):
    """The current view of an agent. Of two views of one agent, the one with the higher version is newer."""

    id: str
    name: str
    languages: list[str]
    queues: list[str]
    status: AgentStatusName
    status_since: Moment
    call_id: str | None = Field(description="the call that has the agent, if the token permits that call")
    reason: str | None
    skills: dict[str, int]
    misses: int
    version: int


class QueueView(Contract):
    """A queue with its limits, in seconds, and its routing."""

    id: str
    name: str
    language: str | None
    sla_seconds: float
    answer_seconds: float
    hold_seconds: float
    short_call_seconds: float
    wrap_up_seconds: float
    routing: RoutingName
    strategy: StrategyName
    misses_before_away: int
    priority: int
    aging_seconds: float
    overflow_seconds: float | None
    overflow_queue_id: str | None


class QueueList(Contract):
    data: list[QueueView]


class AgentList(Contract):
    data: list[AgentView]


class CallPage(Contract):
    """A page of calls in the requested order. A client that resumes at `position` receives all later changes."""

    data: list[CallView]
    next_cursor: str | None
    position: int


class Departure(Contract):
    """A call that moved to a queue outside of the request or the token. Remove it.

    Ignore the departure if a view of the call with a higher version is known: the call has returned.
    """

    id: str
    version: int = Field(description="views of the call with a lower version are older than the departure")


class Changes(Contract):
    """The current views of calls and agents that changed since a position. Ended calls are included.

    Continue at `position`.
    """

    position: int
    reset: bool = Field(
        description="true if the changes are not known: read the snapshot, then continue at this position"
    )
    calls: list[CallView]
    left: list[Departure]
    agents: list[AgentView]


class EventPage(Contract):
    data: list[EventView]
    next_cursor: str | None


class StatusMessage(Contract):
    """The message on the Redis channel `call-status-updates`, for other systems."""

    call_id: str
    status: str
    event_type: str
    timestamp: Moment
    metadata: dict[str, Any]
