"""How a waiting call finds an agent: who looks for one, in which queues, in which order, and by what measure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.domain.call import Call

SHIFT_STEP = timedelta(minutes=10)


class Strategy(StrEnum):
    """Who is first among the agents who may take a call; the longest idle where it leaves a tie."""

    LONGEST_IDLE = "longest_idle"
    LEAST_OCCUPIED = "least_occupied"
    MOST_SKILLED = "most_skilled"


@dataclass(frozen=True, slots=True)
class Routing:
    """A queue's settings as they are now: unlike its promises, a change of them is meant for the calls that wait."""

    strategy: Strategy = Strategy.LONGEST_IDLE
    overflow_seconds: float | None = None
    overflow_queue_id: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Look among the agents of this queue, but for these."""

    queue_id: str
    but_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is free for a queue. `level` is the skill for it, `occupied_seconds` are those of this shift."""

    agent_id: str
    level: int
    signed_in_since: datetime
    occupied_seconds: float
    idle_since: datetime


def rank(strategy: Strategy, candidate: Candidate, at: datetime) -> tuple[float, datetime, str]:
    """Whoever ranks lowest is asked first. The claim must find the same agent without looking at all of them.

    Occupancy is the share of the shift spent with calls ringing, talked, held or wrapped up. The shift counts from full
    ten minutes: two agents who began in one such step keep their order while time goes on, so that it can be stored.
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
    """Whose agents a call waits for."""

    OWN = "own"  # its queue's: somebody has spoken with the caller already
    ANY = "any"  # the overflow queue's as well, once it has waited so long


def sought(call: Call) -> Sought | None:
    """None where no agent must be found."""
    if not call.lacks_offer or call.history:
        return None
    return Sought.ANY if call.answered_at is None else Sought.OWN


def seeks_agent(call: Call) -> bool:
    return sought(call) is not None


def searches(call: Call, routing: Routing, at: datetime) -> tuple[Search, ...]:
    """Where to look, best first: own queue before overflow, and whoever was not tried yet before who comes back."""
    queues = [call.queue_id]
    if routing.overflow_queue_id and _overflows(call, routing.overflow_seconds or 0, at):
        queues.append(routing.overflow_queue_id)
    rounds = (call.tried, ()) if call.tried else ((),)
    return tuple(Search(queue_id, but_for) for but_for in rounds for queue_id in queues)


def _overflows(call: Call, overflow_seconds: float, at: datetime) -> bool:
    """A call that somebody has spoken with waits for its new queue's own agents."""
    return call.answered_at is None and at >= call.initiated_at + timedelta(seconds=overflow_seconds)
