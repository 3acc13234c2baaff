"""Subscribe to topics, and catch up from a position: complete, or told that it is not."""

from collections.abc import Iterator, Sequence

from shared.contracts.feed import Reset, Subscribe, Subscribed, Unsubscribe
from shared.contracts.problems import refuse
from shared.usecases.feed.frames import FrameBatch, agent_item, alert_items, call_item, event_item
from shared.usecases.feed.subscriptions import Listener, Missed, Registry
from shared.usecases.feed.topics import forbidden_topics, named

MISSED_AT_MOST = 1000  # beyond it, to read the snapshot is less for everybody


def subscribe(registry: Registry, listener: Listener, request: Subscribe) -> Iterator[bytes]:
    """The frames to answer with, in order. Raises `ProblemError` (403) where a topic is foreign: then none is taken.

    Subscribed first, then read: what is recorded between the two comes twice, and never not at all.
    """
    topics = list(dict.fromkeys(request.topics))
    _check(registry, listener, topics)
    registry.subscribe(listener.connection_id, topics)
    if request.since is None:
        yield _subscribed(topics, registry.position(), replayed=False)
        return
    missed = registry.missed(topics, listener.principal, request.since, MISSED_AT_MOST)
    bundle = missed and _bundle(missed, topics)
    if missed is None or bundle is None or not bundle.is_sendable:
        position = registry.position()
        yield Reset(topics=topics, position=position).model_dump_json().encode()
        yield _subscribed(topics, position, replayed=False)
        return
    # They carry the position asked for: who loses the connection among them must begin there again.
    yield from bundle.frames(request.since)
    yield _subscribed(topics, missed.position, replayed=True)


def unsubscribe(registry: Registry, listener: Listener, request: Unsubscribe) -> None:
    registry.unsubscribe(listener.connection_id, request.topics)


def _check(registry: Registry, listener: Listener, topics: Sequence[str]) -> None:
    calls, agents = named(topics, "call"), named(topics, "agent")
    foreign = forbidden_topics(
        listener.principal,
        topics,
        registry.queues_of_calls(calls) if calls else {},
        registry.queues_of_agents(agents) if agents else {},
    )
    if foreign:
        fields = [(f"topics[{topics.index(topic)}]", f"{topic} is not permitted by this token") for topic in foreign]
        raise refuse(403, f"Not permitted by this token: {', '.join(foreign[:5])}", *fields[:20])


def _bundle(missed: Missed, topics: Sequence[str]) -> FrameBatch:
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
