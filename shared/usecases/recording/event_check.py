"""Which events the holder of a token may send."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Protocol

from shared.contracts.events import AgentStatusChanged, CallEvent
from shared.usecases.access import Principal

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
