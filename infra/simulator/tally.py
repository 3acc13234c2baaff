"""Counts a call log twice: as the file tells it, and as Switchboard has it on record. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.simulator.call_log import Entry, LoggedCall, UnreadableRow

# The seed's limits, which a queue made by a replay has. One that was there before may have others, and other figures.
ANSWER_WITHIN_SECONDS = 30
SHORT_UNDER_SECONDS = 10
REASONS_KEPT = 5


@dataclass
class Figures:
    """What a day of calls comes to. `breached` are those who waited too long, answered or not."""

    calls: int = 0
    served: int = 0
    abandoned: int = 0
    late: int = 0
    short: int = 0
    breached: int = 0

    def add_logged(self, call: LoggedCall) -> None:
        served = call.agent_id is not None
        waited_long = call.wait_seconds > ANSWER_WITHIN_SECONDS
        self._add(served, waited_long, served and call.service_seconds < SHORT_UNDER_SECONDS)

    def add_recorded(self, call: dict[str, Any]) -> None:
        flags = call.get("flags") or []
        self._add(call.get("endReason") == "completed", "sla_breached" in flags, "short_call" in flags)

    def _add(self, served: bool, waited_long: bool, short: bool) -> None:
        self.calls += 1
        self.served += served
        self.abandoned += not served
        self.late += served and waited_long
        self.short += short
        self.breached += waited_long


@dataclass
class Survey:
    """A whole log read once, before any of it is sent."""

    figures: Figures = field(default_factory=Figures)
    queues: Counter[str] = field(default_factory=Counter)
    agents: set[str] = field(default_factory=set)
    first_at: datetime | None = None
    last_at: datetime | None = None
    no_calls: int = 0
    unreadable: int = 0
    reasons: list[UnreadableRow] = field(default_factory=list)


def survey(entries: Iterable[Entry]) -> Survey:
    seen = Survey()
    for entry in entries:
        if isinstance(entry, LoggedCall):
            _add_call(seen, entry)
        elif isinstance(entry, UnreadableRow):
            seen.unreadable += 1
            if len(seen.reasons) < REASONS_KEPT:
                seen.reasons.append(entry)
        else:
            seen.no_calls += 1
    return seen


def _add_call(seen: Survey, call: LoggedCall) -> None:
    seen.figures.add_logged(call)
    seen.queues[call.queue_id] += 1
    if call.agent_id is not None:
        seen.agents.add(call.agent_id)
    seen.first_at = min(seen.first_at or call.initiated_at, call.initiated_at)
    seen.last_at = max(seen.last_at or call.initiated_at, call.initiated_at)
