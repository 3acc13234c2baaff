"""Selects the updates of each group of connections with equal rights and subscriptions. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.contracts.feed import Change, OutboxId, OutboxMessage
from shared.contracts.views import AgentView
from shared.usecases.access import Principal
from shared.usecases.feed.frames import FrameBatch, Item, agent_item, alert_items, call_item, departure_item, event_item
from shared.usecases.feed.ports import SubscriberGroup
from shared.usecases.feed.topics import can_see_any, queues_of_change, topics_of, topics_of_agent


class Entry(NamedTuple):
    """Items that are sent together.

    items: the items. Without any, the subscribers must read the snapshot again, because something left their queues.
    topics: sent to their subscribers.
    queues: a token must permit one of these.
    outbox_id: the outbox entry to acknowledge.
    trace: the `traceparent` of the request, if any.
    reduced_items: sent instead of `items`, without the trace, if the token does not permit `full_view_queue`.
    full_view_queue: the queue whose readers get all items.
    """

    items: tuple[Item, ...]
    topics: frozenset[str]
    queues: Collection[str]
    outbox_id: OutboxId
    trace: str | None
    reduced_items: tuple[Item, ...] = ()
    full_view_queue: str | None = None

    def is_full_for(self, principal: Principal) -> bool:
        return not self.reduced_items or principal.sees_all or self.full_view_queue in principal.queues

    def items_for(self, principal: Principal) -> tuple[Item, ...]:
        return self.items if self.is_full_for(principal) else self.reduced_items


@dataclass(frozen=True, slots=True)
class FanOutGroup:
    """One batch, its outbox entries, and the connections that receive it."""

    batch: FrameBatch
    outbox_ids: Collection[OutboxId]
    connection_ids: Collection[str]


def calls_without_queue(messages: Collection[OutboxMessage]) -> set[str]:
    """Calls that agents of a message are on, and whose queue the message does not contain."""
    call_ids: set[str] = set()
    for message in messages:
        agents_calls = {agent.call_id for agent in message.agents if agent.call_id}
        call_ids |= agents_calls - {change.call.id for change in message.changes}
    return call_ids


def build_entries(message: OutboxMessage, queues_of_calls: Mapping[str, str]) -> list[Entry]:
    """`queues_of_calls` are the queues of `calls_without_queue`. They decide who may see which call an agent is on."""
    agents = message.agents
    queues_of = {**queues_of_calls, **{change.call.id: change.call.queue_id for change in message.changes}}
    changes = [
        Entry(
            (call_item(change.call), event_item(change.event), *alert_items(change.event, change.call)),
            topics_of(change, agents),
            queues_of_change(change),
            message.outbox_id,
            message.trace_of(change.event.id),
            *_reduced_change(change),
        )
        for change in message.changes
    ]
    moves = [
        Entry(
            (agent_item(agent),),
            topics_of_agent(agent),
            agent.queues,
            message.outbox_id,
            message.traceparent,
            *_reduced_agent(agent, queues_of),
        )
        for agent in agents
    ]
    agent_ids = {agent.id for agent in agents}
    departures = [
        Entry(
            (),
            _topics_left(subject_id, queues, is_agent=subject_id in agent_ids),
            queues,
            message.outbox_id,
            message.traceparent,
        )
        for subject_id, queues in message.left.items()
    ]
    return changes + moves + departures


def _topics_left(subject_id: str, queues: Collection[str], *, is_agent: bool) -> frozenset[str]:
    kinds = ("queue",) if is_agent else ("queue", "alerts")
    own_topic = f"agent:{subject_id}" if is_agent else f"call:{subject_id}"
    return frozenset({own_topic, *(f"{kind}:{queue_id}" for kind in kinds for queue_id in queues)})


def _reduced_change(change: Change) -> tuple[tuple[Item, ...], str | None]:
    """For the queue that lost the call: its readers must not see what happens in the next queue."""
    return ((departure_item(change.call),), change.call.queue_id) if change.previous_queue_id else ((), None)


def _reduced_agent(agent: AgentView, queues_of: Mapping[str, str]) -> tuple[tuple[Item, ...], str | None]:
    """The agent without the call, for readers who may not see the call's queue."""
    queue_id = queues_of.get(agent.call_id) if agent.call_id else None
    if agent.call_id is None or agent.queues == [queue_id]:
        return (), None
    return (agent_item(AgentView.trusted(**vars(agent) | {"call_id": None})),), queue_id


def fan_out_groups(entries: Sequence[Entry], groups: Iterable[SubscriberGroup]) -> Iterator[FanOutGroup]:
    """Checks the tokens again: a call may have changed queues since the subscription."""
    for group in groups:
        selected = [
            entry
            for entry in entries
            if not group.topics.isdisjoint(entry.topics) and can_see_any(group.principal, entry.queues)
        ]
        if selected:
            outbox_ids = {entry.outbox_id for entry in selected}
            traces = [entry.trace for entry in selected if entry.trace and entry.is_full_for(group.principal)]
            reset_topics = {topic for entry in selected if not entry.items for topic in entry.topics & group.topics}
            items = (item for entry in selected for item in entry.items_for(group.principal))
            batch = FrameBatch(items, group.topics, traces=traces, reset_topics=reset_topics)
            yield FanOutGroup(
                batch.without_events_if_large() if len(outbox_ids) > 1 else batch, outbox_ids, group.connection_ids
            )
