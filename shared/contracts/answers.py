"""What senders are answered: what became of each event, and who redrives dead letters of each letter."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.dead_letters import Kind
from shared.contracts.problems import Problem
from shared.contracts.views import CallView


class CallAnswer(Contract):
    """Of a call's event."""

    event_id: str
    call_id: str
    outcome: Literal["applied", "replayed", "deferred"]
    call: CallView | None = Field(
        description="as all that came together left it; null where nothing is known of it yet"
    )


class AgentAnswer(Contract):
    """Of an agent's report."""

    event_id: str
    agent_id: str
    outcome: Literal["applied", "replayed", "deferred"]


class _Item(Contract):
    status: int = Field(description="what it would have been answered with, had it come alone")


class CallItem(_Item, CallAnswer):
    """Of a call's event among others."""


class AgentItem(_Item, AgentAnswer):
    """Of an agent's report among others."""


class RefusedItem(_Item):
    """Of what was refused among others, which are recorded all the same."""

    problem: Problem


class BatchAnswer(Contract):
    """In the order sent."""

    results: list[CallItem | AgentItem | RefusedItem]


class _Letter(Contract):
    id: str
    kind: Kind | None = Field(description="null where there is no such dead letter")


class EventTried(_Letter, CallItem):
    """Of an event that was given another attempt."""


class AnnouncementTried(_Letter, _Item):
    """Of an announcement that will be told again."""

    event_id: str
    call_id: str | None
    outcome: Literal["requeued"]


class LetterRefused(_Letter, RefusedItem):
    """Of what is dead still, or was not dead."""


class RedriveAnswer(Contract):
    results: list[EventTried | AnnouncementTried | LetterRefused]
    remaining: int = Field(description="dead letters that were not tried: those of one request are limited")
