"""The responses to senders: the outcome of each event, and of each dead letter that is redriven."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.dead_letters import Kind
from shared.contracts.problems import Problem
from shared.contracts.views import CallView


class CallAnswer(Contract):
    """The outcome of a call's event."""

    event_id: str
    call_id: str
    outcome: Literal["applied", "replayed", "deferred"]
    call: CallView | None = Field(description="after all events of the request; null if the call is not known yet")


class AgentAnswer(Contract):
    """The outcome of an agent's report."""

    event_id: str
    agent_id: str
    outcome: Literal["applied", "replayed", "deferred"]


class _Item(Contract):
    status: int = Field(description="the HTTP status that the event would have alone")


class CallItem(_Item, CallAnswer):
    """The outcome of a call's event in a batch."""


class AgentItem(_Item, AgentAnswer):
    """The outcome of an agent's report in a batch."""


class RefusedItem(_Item):
    """An event of a batch that was refused. The other events are recorded."""

    problem: Problem


class BatchAnswer(Contract):
    """The results in the order sent."""

    results: list[CallItem | AgentItem | RefusedItem]


class _Letter(Contract):
    id: str
    kind: Kind | None = Field(description="null if there is no such dead letter")


class EventTried(_Letter, CallItem):
    """The outcome of an event that was tried again."""


class AnnouncementTried(_Letter, _Item):
    """An announcement that will be published again."""

    event_id: str
    call_id: str | None
    outcome: Literal["requeued"]


class LetterRefused(_Letter, RefusedItem):
    """A dead letter that was refused again, or an id that is no dead letter."""


class RedriveAnswer(Contract):
    """The results in the order of the letters."""

    results: list[EventTried | AnnouncementTried | LetterRefused]
    remaining: int = Field(description="dead letters that were not tried, because one request has a limit")
