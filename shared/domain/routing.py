"""How a waiting call finds an agent: which calls search, in which queues, and how agents are ranked.

The re-route rule: if an offer is missed or declined while the call waits, the call is offered to the next agent by the
queue's strategy. Agents who were not offered it yet come first. `deadlines.py` states when an offer is missed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.domain.call import Call

SHIFT_STEP = timedelta(minutes=10)


class Strategy(StrEnum):
    """The order of the agents who can take a call. The longest idle agent precedes in a tie."""

    LONGEST_IDLE = "longest_idle"
    LEAST_OCCUPIED = "least_occupied"
    MOST_SKILLED = "most_skilled"


@dataclass(frozen=True, slots=True)
class Routing:
    """The current settings of a queue. Unlike its limits, they also apply to calls that already wait."""

    strategy: Strategy = Strategy.LONGEST_IDLE
    overflow_seconds: float | None = None
    overflow_queue_id: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A search among the agents of a queue, without the agents in `but_for`."""

    queue_id: str
    but_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An available agent. `level` is the skill for the queue; `occupied_seconds` count since `signed_in_since`."""

    agent_id: str
    level: int
    signed_in_since: datetime
    occupied_seconds: float
    idle_since: datetime


def rank(strategy: Strategy, candidate: Candidate, at: datetime) -> tuple[float, datetime, str]:
    """Return the sort key of a candidate: the lowest is offered the call. The SQL that claims an agent must agree.

    Occupancy is the share of the shift with calls that ring, are talked, held or wrapped up. A shift begins at a full
    ten minutes. Then two agents who began in the same step keep their order as time passes, and it can be stored.
    """
    match strategy:
        case Strategy.LONGEST_IDLE:
            measure = 0.0
        case Strategy.MOST_SKILLED:
            measure = -float(candidate.level)
        case Strategy.LEAST_OCCUPIED:
            measure = candidate.occupied_seconds / max((at - _step_of(candidate.signed_in_since)).total_seconds(), 1)
    return measure, candidate.idle_since, candidate.agent_id


def _step_of(moment: datetime) -> datetime:
    return moment - (moment - datetime.fromtimestamp(0, UTC)) % SHIFT_STEP


class Sought(StrEnum):
    """The queues whose agents a call can be offered to."""

    OWN = "own"  # its own queue: an agent has talked to the caller
    ANY = "any"  # also the overflow queue, after its waiting time


def sought(call: Call) -> Sought | None:
    """Return the queues to search; None if the call needs no agent from Switchboard."""
    if not call.lacks_offer or call.history:
        return None
    return Sought.ANY if call.answered_at is None else Sought.OWN


def seeks_agent(call: Call) -> bool:
    return sought(call) is not None


def searches(call: Call, routing: Routing, at: datetime) -> tuple[Search, ...]:
    """Return the searches in their order: agents not tried yet first, and the own queue before the overflow queue."""
    queues = [call.queue_id]
    if routing.overflow_queue_id and _overflows(call, routing.overflow_seconds or 0, at):
        queues.append(routing.overflow_queue_id)
    rounds = (call.tried, ()) if call.tried else ((),)
    return tuple(Search(queue_id, but_for) for but_for in rounds for queue_id in queues)


def _overflows(call: Call, overflow_seconds: float, at: datetime) -> bool:
    """Whether the call can be offered to the overflow queue. An answered call cannot."""
    return call.answered_at is None and at >= call.initiated_at + timedelta(seconds=overflow_seconds)
