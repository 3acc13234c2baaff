"""How a waiting call finds an agent: who looks for one, in which queues, in which order, and by what measure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.call import Call, Status


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


def seeks_agent(call: Call) -> bool:
    """Whether Switchboard must find an agent: telephony's own offer lapsed, or the queue leaves the first one to us."""
    if call.status is not Status.WAITING or call.offer is not None or call.history:
        return False
    return call.attempts > 0 or call.limits.routing == "switchboard"


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
