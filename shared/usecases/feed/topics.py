"""The topics of a change, and the tokens that may see it. Pure."""

from collections.abc import Collection, Mapping, Sequence

from shared.contracts.feed import Change
from shared.contracts.views import AgentView
from shared.usecases.access import Principal


def topics_of(change: Change, agents: Collection[AgentView] = ()) -> frozenset[str]:
    """`agents` are those of the same message. An agent in wrap-up is on the call although the call names no agent."""
    call, event = change.call, change.event
    topics = {f"call:{call.id}"} | {f"queue:{queue_id}" for queue_id in queues_of_change(change)}
    topics |= {f"agent:{agent.id}" for agent in agents if agent.call_id == call.id}
    topics |= {f"agent:{agent_id}" for agent_id in _agents_of(change) if agent_id}
    # A flagged call is followed to its end, to keep lists of alerts current. A void event may have removed the flag.
    if call.flags or event.void or change.was_flagged:
        topics |= {f"alerts:{queue_id}" for queue_id in queues_of_change(change)}
    return frozenset(topics)


def _agents_of(change: Change) -> tuple[str | None, ...]:
    return change.call.agent_id, change.previous_agent_id, change.event.metadata.get("agentId")


def queues_of_change(change: Change) -> tuple[str, ...]:
    """A token for any of these may see the change. A transfer also concerns the queue that lost the call."""
    previous = change.previous_queue_id
    return (change.call.queue_id, previous) if previous else (change.call.queue_id,)


def topics_of_agent(agent: AgentView) -> frozenset[str]:
    return frozenset({f"agent:{agent.id}", *(f"queue:{queue_id}" for queue_id in agent.queues)})


def can_see_any(principal: Principal, queue_ids: Collection[str]) -> bool:
    return principal.may_read and (principal.sees_all or not principal.queues.isdisjoint(queue_ids))


def forbidden_topics(
    principal: Principal,
    topics: Collection[str],
    queues_of_calls: Mapping[str, str],
    queues_of_agents: Mapping[str, Sequence[str]],
) -> list[str]:
    """The topics to which this principal may not subscribe."""

    def is_permitted(topic: str) -> bool:
        kind, _, name = topic.partition(":")
        match kind:
            case "call":
                return can_see_any(principal, {queues_of_calls[name]} if name in queues_of_calls else ())
            case "agent":
                return can_see_any(principal, queues_of_agents.get(name, ()))
            case "ops":
                return principal.may_administer or can_see_any(principal, ())
            case "queue" | "alerts":
                return can_see_any(principal, {name})
            case _:
                return False

    return [topic for topic in topics if not is_permitted(topic)]


def ids_of_kind(topics: Collection[str], kind: str) -> list[str]:
    """The ids in the topics of one kind."""
    return [topic.partition(":")[2] for topic in topics if topic.startswith(f"{kind}:")]
