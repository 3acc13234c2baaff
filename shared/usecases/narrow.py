"""Narrow what a sender may say to the queues of its token."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Protocol

from shared.contracts.events import AgentStatusChanged, CallEvent
from shared.usecases.permissions import Bearer

Permits = Callable[[CallEvent | AgentStatusChanged], bool]


class Places(Protocol):
    """Where calls and agents are now. Raises `UnavailableError`."""

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]: ...


def everything(_event: CallEvent | AgentStatusChanged) -> bool:
    return True


def permits(bearer: Bearer, places: Callable[[], Places]) -> Permits:
    """Whether a sender may say this: of a call in its queues, to its queues, of an agent who works for one of them.

    What is known nowhere yet belongs to nobody: it is judged by the queue that the event names, if any.
    """
    if bearer.sees_all:
        return everything

    @cache
    def sees_call(call_id: str) -> bool:
        return all(map(bearer.sees, places().queues_of_calls([call_id]).values()))

    @cache
    def sees_agent(agent_id: str) -> bool:
        return any(map(bearer.sees, places().queues_of_agents([agent_id]).get(agent_id, ())))

    def narrowed(event: CallEvent | AgentStatusChanged) -> bool:
        if isinstance(event, AgentStatusChanged):
            return sees_agent(event.agent_id)
        queue_id: str | None = getattr(event, "queue_id", None)  # only some events name one
        return (queue_id is None or bearer.sees(queue_id)) and sees_call(event.call_id)

    return narrowed
