"""What can happen to a call, one frozen class a fact: eight that telephony reports, then the system's own."""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

from shared.domain.fast import fast_frozen


class Source(StrEnum):
    """Who says so. History is recorded and never acted on."""

    TELEPHONY = "telephony"
    SYSTEM = "system"
    IMPORT = "history"


class EndReason(StrEnum):
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    FAILED = "failed"


@lru_cache(256)  # a handful, of the queues
def duration(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@fast_frozen
class Limits:
    """The promises of a queue, in seconds, and who keeps them. A call keeps those that held when it began; who makes
    the first offer is said anew by a queue that it is transferred to.
    """

    sla_seconds: float = 30
    answer_seconds: float = 15
    hold_seconds: float = 60
    short_call_seconds: float = 10
    wrap_up_seconds: float = 0
    routing: Literal["telephony", "switchboard"] = "telephony"  # who makes the first offer


@fast_frozen
class Initiated:
    type: str
    queue_id: str
    language: str | None
    limits: Limits
    priority: int | None = None


@fast_frozen
class Routed:
    agent_id: str
    routing_seconds: float


@fast_frozen
class NoAnswer:
    agent_id: str


@fast_frozen
class Answered:
    """`wait_seconds` is the sender's figure; `agent_id` is given where it differs from the agent last offered."""

    wait_seconds: float
    agent_id: str | None = None


@fast_frozen
class Held:
    """A hold that begins (0 seconds) or is reported with its whole duration at once."""

    hold_seconds: float


@fast_frozen
class Resumed:
    pass


@fast_frozen
class Transferred:
    """The call goes back to waiting: in another queue, offered to another agent, or both. `routing` is who makes the
    first offer in that queue; without it, who made it before.
    """

    queue_id: str | None = None
    agent_id: str | None = None
    routing: Literal["telephony", "switchboard"] | None = None


@fast_frozen
class Ended:
    reason: EndReason
    duration_seconds: float


@fast_frozen
class SlaBreached:
    pass


@fast_frozen
class AnswerTimedOut:
    """Redirection on no answer (RONA): the offer with this attempt number lapsed."""

    agent_id: str
    attempt: int


@fast_frozen
class Offered:
    """Switchboard itself makes the first offer, to an agent whom it has claimed."""

    agent_id: str


@fast_frozen
class Rerouted:
    """Switchboard offers the call again, after an offer that came to nothing."""

    agent_id: str


@fast_frozen
class HoldExceeded:
    pass


Fact = (
    Initiated
    | Routed
    | NoAnswer
    | Answered
    | Held
    | Resumed
    | Transferred
    | Ended
    | SlaBreached
    | AnswerTimedOut
    | Offered
    | Rerouted
    | HoldExceeded
)

# The name each fact travels under.
NAMES: dict[type[Fact], str] = {
    Initiated: "call_initiated",
    Routed: "call_routed",
    NoAnswer: "call_no_answer",
    Answered: "call_answered",
    Held: "call_hold",
    Resumed: "call_resumed",
    Transferred: "call_transferred",
    Ended: "call_ended",
    SlaBreached: "sla_breached",
    AnswerTimedOut: "answer_timed_out",
    Offered: "call_offered",
    Rerouted: "call_rerouted",
    HoldExceeded: "hold_exceeded",
}
# The order that settles a tie between facts of one instant: what ends a thing comes before what begins the next.
_TIES: tuple[type[Fact], ...] = (
    *(Initiated, Resumed, NoAnswer, Transferred, Routed, Answered, Held, Ended),
    *(SlaBreached, AnswerTimedOut, Offered, Rerouted, HoldExceeded),
)
_RANKS: dict[type[Fact], int] = {fact: rank for rank, fact in enumerate(_TIES)}


@fast_frozen
class Event:
    """A fact with its place in time. `at` is the sender's `occurredAt` where `dated`, else the time of receipt."""

    id: str
    call_id: str
    fact: Fact
    at: datetime
    received_at: datetime
    dated: bool = False
    source: Source = Source.TELEPHONY
    sequence: int | None = None
    metadata: dict[str, Any] | None = None

    def moved_to(self, at: datetime) -> "Event":
        """The same at another place in time."""
        return self._but(self.fact, at)

    def with_limits(self, limits: Limits) -> "Event":
        """The same; where it begins a call, with the promises of the call's queue; where it moves one to a queue, with
        who makes the first offer there.
        """
        fact = self.fact
        if isinstance(fact, Transferred):
            return self._but(Transferred(fact.queue_id, fact.agent_id, limits.routing), self.at)
        if not isinstance(fact, Initiated):
            return self
        return self._but(Initiated(fact.type, fact.queue_id, fact.language, limits, fact.priority), self.at)

    def _but(self, fact: Fact, at: datetime) -> "Event":
        """As `dataclasses.replace`, at a fifth of its price."""
        told = self.received_at, self.dated, self.source, self.sequence, self.metadata
        return Event(self.id, self.call_id, fact, at, *told)

    @property
    def name(self) -> str:
        return NAMES[type(self.fact)]

    @property
    def is_system(self) -> bool:
        return self.source is Source.SYSTEM

    @property
    def order(self) -> tuple[bool, datetime, bool, int, int, str]:
        """Total order of a call's events: the beginning first whatever a skewed clock says, then by time.

        In one instant what telephony saw precedes what the system concluded; then the sender's sequence decides,
        then what ends a thing before what begins one, then the id, so that no order of arrival can matter. Without a
        sequence the fold takes what is legal first.
        """
        kind = type(self.fact)
        return (kind is not Initiated, self.at, self.is_system, self.sequence or 0, _RANKS[kind], self.id)
