"""Subscribe to topics and resume from a position. The client gets all missed changes, or a reset."""

from collections.abc import Iterator, Sequence

from shared.contracts.feed import Reset, Subscribe, Subscribed, Unsubscribe
from shared.contracts.problems import refuse
from shared.usecases.feed.frames import FrameBatch, agent_item, alert_items, call_item, event_item
from shared.usecases.feed.subscriptions import Listener, MissedChanges, Registry
from shared.usecases.feed.topics import forbidden_topics, ids_of_kind

MAX_MISSED_CHANGES = 1000  # above this, reading the snapshot is cheaper


def subscribe(registry: Registry, listener: Listener, request: Subscribe) -> Iterator[bytes]:
    """The frames of the answer, in order. Raises `ProblemError` (403), without any subscription, for a forbidden topic.

    The subscription comes before the read, so that changes between the two are sent twice rather than lost.
    """
    topics = list(dict.fromkeys(request.topics))
    _check(registry, listener, topics)
    registry.subscribe(listener.connection_id, topics)
    if request.since is None:
        yield _subscribed(topics, registry.position(), replayed=False)
        return
    missed = registry.missed_changes(topics, listener.principal, request.since, MAX_MISSED_CHANGES)
    batch = missed and _batch(missed, topics)
    if missed is None or batch is None or not batch.is_sendable:
        position = registry.position()
        yield Reset(topics=topics, position=position).model_dump_json().encode()
        yield _subscribed(topics, position, replayed=False)
        return
    # These frames contain the requested position: a client that disconnects among them must resume from there.
    yield from batch.frames(request.since)
    yield _subscribed(topics, missed.position, replayed=True)


def unsubscribe(registry: Registry, listener: Listener, request: Unsubscribe) -> None:
    registry.unsubscribe(listener.connection_id, request.topics)


def _check(registry: Registry, listener: Listener, topics: Sequence[str]) -> None:
    calls, agents = ids_of_kind(topics, "call"), ids_of_kind(topics, "agent")
    forbidden = forbidden_topics(
        listener.principal,
        topics,
        registry.queues_of_calls(calls) if calls else {},
        registry.queues_of_agents(agents) if agents else {},
    )
    if forbidden:
        fields = [(f"topics[{topics.index(topic)}]", f"{topic} is not permitted by this token") for topic in forbidden]
        raise refuse(403, f"Not permitted by this token: {', '.join(forbidden[:5])}", *fields[:20])


def _batch(missed: MissedChanges, topics: Sequence[str]) -> FrameBatch:
    calls = {call.id: call for call in missed.calls}
    items = [
        *(call_item(call) for call in missed.calls),
        *(event_item(event) for event in missed.events),
        *(item for event in missed.events for item in alert_items(event, calls[event.call_id])),
        *(agent_item(agent) for agent in missed.agents),
    ]
    return FrameBatch(items, topics)


def _subscribed(topics: list[str], position: int, *, replayed: bool) -> bytes:
    return Subscribed(topics=topics, position=position, replayed=replayed).model_dump_json().encode()
