"""What the socket use cases ask of the registry: who listens to what, and what they missed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts.views import AgentView, CallView, EventView
from shared.usecases.access import Principal


@dataclass(frozen=True, slots=True)
class Listener:
    """A connection, and the token's bearer whose rights it has until it expires."""

    connection_id: str
    principal: Principal
    connected_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Missed:
    """What changed since a position: the calls as they are now, and the events between. `position` is where it ends."""

    position: int
    calls: Sequence[CallView]
    events: Sequence[EventView]
    agents: Sequence[AgentView]


class Registry(Protocol):
    """Raises `UnavailableError` while the system of record cannot be reached."""

    def add(self, listener: Listener) -> None: ...

    def remove(self, connection_id: str) -> None: ...

    def find(self, connection_id: str) -> Listener | None: ...

    def subscribe(self, connection_id: str, topics: Collection[str]) -> None: ...

    def unsubscribe(self, connection_id: str, topics: Collection[str]) -> None: ...

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]: ...

    def position(self) -> int:
        """Everything recorded below it has been told to whoever was subscribed."""
        ...

    def missed(self, topics: Collection[str], principal: Principal, since: int, limit: int) -> Missed | None:
        """None where it cannot be told in full: too much, or a position that was never given out here."""
        ...
