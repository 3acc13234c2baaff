"""What the holder of a token may do: its role decides the actions, its queues decide on which calls and agents."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from shared.contracts.events import AgentStatusChanged, CallEvent

Role = Literal["sender", "supervisor", "admin"]
EVERY_QUEUE = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """`expires_at` in seconds since 1970."""

    role: Role
    queues: frozenset[str]
    expires_at: int

    def can_see(self, queue_id: str) -> bool:
        return EVERY_QUEUE in self.queues or queue_id in self.queues

    def visible_queues(self, asked: Collection[str]) -> list[str] | None:
        """The queues asked for, as far as they may be seen; None where nothing narrows the view."""
        if not asked:
            return None if self.sees_all else sorted(self.queues)
        return sorted(filter(self.can_see, set(asked)))

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
        """What belongs to no queue alone, such as an agent."""
        return self.may_administer and self.sees_all


EventCheck = Callable[[CallEvent | AgentStatusChanged], bool]


class QueueLookup(Protocol):
    """Where calls and agents are now. Raises `UnavailableError`."""

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]: ...


def allow_all(_event: CallEvent | AgentStatusChanged) -> bool:
    return True


def event_check(principal: Principal, places: Callable[[], QueueLookup]) -> EventCheck:
    """Whether a sender may say this: of a call in its queues, to its queues, of an agent who works for one of them.

    What is known nowhere yet belongs to nobody: it is judged by the queue that the event names, if any.
    """
    if principal.sees_all:
        return allow_all

    @cache
    def sees_call(call_id: str) -> bool:
        return all(map(principal.can_see, places().queues_of_calls([call_id]).values()))

    @cache
    def sees_agent(agent_id: str) -> bool:
        return any(map(principal.can_see, places().queues_of_agents([agent_id]).get(agent_id, ())))

    def visible_queues(event: CallEvent | AgentStatusChanged) -> bool:
        if isinstance(event, AgentStatusChanged):
            return sees_agent(event.agent_id)
        queue_id: str | None = getattr(event, "queue_id", None)  # only some events name one
        return (queue_id is None or principal.can_see(queue_id)) and sees_call(event.call_id)

    return visible_queues
