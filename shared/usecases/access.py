"""The rights of a token: its role permits actions, and its queues permit calls and agents."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from shared.contracts.events import AgentStatusChanged, CallEvent

Role = Literal["sender", "supervisor", "admin"]
EVERY_QUEUE = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a token.

    role: decides which actions are permitted.
    queues: ids of permitted queues, or `EVERY_QUEUE`.
    expires_at: when the token expires, in seconds since 1970.
    """

    role: Role
    queues: frozenset[str]
    expires_at: int

    def can_see(self, queue_id: str) -> bool:
        return EVERY_QUEUE in self.queues or queue_id in self.queues

    def visible_queues(self, requested: Collection[str]) -> list[str] | None:
        """The permitted ones of the requested queues, or of all queues if none are requested. None means all queues."""
        if not requested:
            return None if self.sees_all else sorted(self.queues)
        return sorted(filter(self.can_see, set(requested)))

    @property
    def sees_all(self) -> bool:
        return EVERY_QUEUE in self.queues

    @property
    def may_send(self) -> bool:
        return self.role in ("sender", "admin")

    @property
    def may_read(self) -> bool:
        return self.role in ("supervisor", "admin")

    @property
    def may_administer(self) -> bool:
        return self.role == "admin"

    @property
    def may_administer_all(self) -> bool:
        """Required for what belongs to several queues, such as an agent."""
        return self.may_administer and self.sees_all


EventCheck = Callable[[CallEvent | AgentStatusChanged], bool]


class QueueLookup(Protocol):
    """The current queues of calls and agents. Raises `UnavailableError`."""

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]: ...


def allow_all(_event: CallEvent | AgentStatusChanged) -> bool:
    return True


def event_check(principal: Principal, queue_lookup: Callable[[], QueueLookup]) -> EventCheck:
    """Returns a function that decides whether the sender may send an event.

    Permitted are events of calls in the sender's queues, transfers to these queues, and reports of agents who work for
    one of them. An unknown call is permitted if the event names no queue or one of the sender's queues.
    """
    if principal.sees_all:
        return allow_all

    @cache
    def can_see_call(call_id: str) -> bool:
        return all(map(principal.can_see, queue_lookup().queues_of_calls([call_id]).values()))

    @cache
    def can_see_agent(agent_id: str) -> bool:
        return any(map(principal.can_see, queue_lookup().queues_of_agents([agent_id]).get(agent_id, ())))

    def may_send(event: CallEvent | AgentStatusChanged) -> bool:
        if isinstance(event, AgentStatusChanged):
            return can_see_agent(event.agent_id)
        queue_id: str | None = getattr(event, "queue_id", None)  # only some events name one
        return (queue_id is None or principal.can_see(queue_id)) and can_see_call(event.call_id)

    return may_send
