"""The simulated callers' calls, interpreters, and their habits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Habits:
    """How callers and interpreters behave. Service is lognormal, its parameters in log-seconds."""

    calls_per_minute: float = 30.0
    service_log_mean: float = 4.8
    service_log_deviation: float = 0.9
    patience_mean_seconds: float = 400.0
    ring_median_seconds: float = 4.0
    miss_share: float = 0.06
    hold_share: float = 0.2
    hold_mean_seconds: float = 30.0
    wrap_up_mean_seconds: float = 15.0
    break_share: float = 0.03
    away_mean_seconds: float = 45.0


class Phase(StrEnum):
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Send:
    """An event for Switchboard. Those that share a key must arrive in order; others need not wait for each other."""

    at: float
    keys: tuple[str, ...]
    event: Json


@dataclass
class Line:
    """One caller's line, as telephony knows it."""

    call_id: str
    queue_id: str
    began_at: float
    phase: Phase = Phase.WAITING
    agent_id: str | None = None
    route_pending: bool = False
    unoffered_since: float = 0.0
    answered_at: float = 0.0
    ends_at: float = 0.0
    sent: int = 0
    step: int = 0
    view: Json | None = None


@dataclass
class Interpreter:
    agent_id: str
    queues: frozenset[str] = frozenset()
    status: str = "unknown"
    idle_since: float = 0.0
    engaged_by: str | None = None
    due_back: bool = False

    def is_free_for(self, queue_id: str) -> bool:
        return self.status == "available" and self.engaged_by is None and queue_id in self.queues
