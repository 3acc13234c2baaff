"""The port for connections and their subscriptions, and for the changes that a client missed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts.views import AgentView, CallView, EventView
from shared.usecases.access import Principal


@dataclass(frozen=True, slots=True)
class Listener:
    """A connection. It has the rights of `principal` until `expires_at`."""

    connection_id: str
    principal: Principal
    connected_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MissedChanges:
    """Changes since a position.

    position: the end of the changes, from which to resume.
    calls: the current calls.
    events: all events in between.
    agents: the current agents.
    """

    position: int
    calls: Sequence[CallView]
    events: Sequence[EventView]
    agents: Sequence[AgentView]


class Registry(Protocol):
    """Raises `UnavailableError`."""

    def add(self, listener: Listener) -> None: ...

    def remove(self, connection_id: str) -> None: ...

    def find(self, connection_id: str) -> Listener | None: ...

    def subscribe(self, connection_id: str, topics: Collection[str]) -> None: ...

    def unsubscribe(self, connection_id: str, topics: Collection[str]) -> None: ...

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]: ...

    def position(self) -> int:
        """All changes below it have been sent to the subscribers of their time."""
        ...

    def missed_changes(
        self, topics: Collection[str], principal: Principal, since: int, limit: int
    ) -> MissedChanges | None:
        """None if there are more than `limit`, or if this deployment never issued the position."""
        ...
