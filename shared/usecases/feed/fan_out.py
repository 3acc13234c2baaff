"""Sorts what was published by who must get it: one bundle for all connections with the same interests. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.contracts.feed import Change, OutboxId, Published
from shared.contracts.views import AgentView
from shared.usecases.access import Principal
from shared.usecases.feed.frames import FrameBatch, Item, agent_item, alert_items, call_item, departure_item, event_item
from shared.usecases.feed.ports import Group
from shared.usecases.feed.topics import can_see_any, queues_of_change, topics_of, topics_of_agent


class Entry(NamedTuple):
    """Items that are sent together to the subscribers of `topics` whose token permits one of `queues`.

    A token that does not permit the queue `whole_of` gets `partly` instead of `items`, if there is any, and no trace.
    An entry without items asks the subscribers to read the snapshot again, because something left their queues.
    """

    items: tuple[Item, ...]
    topics: frozenset[str]
    queues: Collection[str]
    outbox_id: OutboxId
    trace: str | None
    partly: tuple[Item, ...] = ()
    whole_of: str | None = None

    def is_whole_for(self, principal: Principal) -> bool:
        return not self.partly or principal.sees_all or self.whole_of in principal.queues

    def items_for(self, principal: Principal) -> tuple[Item, ...]:
        return self.items if self.is_whole_for(principal) else self.partly


@dataclass(frozen=True, slots=True)
class FanOutGroup:
    bundle: FrameBatch
    outbox_ids: Collection[OutboxId]
    connection_ids: Collection[str]


def calls_without_queue(heard: Collection[Published]) -> set[str]:
    """Calls that agents are on of whom a transaction tells, and of whose queue it does not: another one may have, of
    another time.
    """
    strange: set[str] = set()
    for published in heard:
        on = {agent.call_id for agent in published.agents if agent.call_id}
        strange |= on - {change.call.id for change in published.changes}
    return strange


def build_entries(published: Published, queues_of_calls: Mapping[str, str]) -> list[Entry]:
    """`queues_of_calls` are those of `calls_without_queue`. Who works for several queues may be on a call of another one."""
    agents = published.agents
    queues_of = {**queues_of_calls, **{change.call.id: change.call.queue_id for change in published.changes}}
    changes = [
        Entry(
            (call_item(change.call), event_item(change.event), *alert_items(change.event, change.call)),
            topics_of(change, agents),
            queues_of_change(change),
            published.outbox_id,
            published.trace_of(change.event.id),
            *_departure(change),
        )
        for change in published.changes
    ]
    moves = [
        Entry(
            (agent_item(agent),),
            topics_of_agent(agent),
            agent.queues,
            published.outbox_id,
            published.traceparent,
            *_part_of(agent, queues_of),
        )
        for agent in agents
    ]
    agent_ids = {agent.id for agent in agents}
    gone = [
        Entry(
            (),
            _topics_left(gone_id, left, is_agent=gone_id in agent_ids),
            left,
            published.outbox_id,
            published.traceparent,
        )
        for gone_id, left in published.left.items()
    ]
    return changes + moves + gone


def _topics_left(gone_id: str, queues: Collection[str], *, is_agent: bool) -> frozenset[str]:
    kinds = ("queue",) if is_agent else ("queue", "alerts")
    named = f"agent:{gone_id}" if is_agent else f"call:{gone_id}"
    return frozenset({named, *(f"{kind}:{queue_id}" for kind in kinds for queue_id in queues)})


def _departure(change: Change) -> tuple[tuple[Item, ...], str | None]:
    """For the queue that lost the call. The call's view and the event would tell what the next queue does with it."""
    return ((departure_item(change.call),), change.call.queue_id) if change.previous_queue_id else ((), None)


def _part_of(agent: AgentView, queues_of: Mapping[str, str]) -> tuple[tuple[Item, ...], str | None]:
    queue_id = queues_of.get(agent.call_id) if agent.call_id else None
    if agent.call_id is None or agent.queues == [queue_id]:
        return (), None
    return (agent_item(AgentView.trusted(**vars(agent) | {"call_id": None})),), queue_id


def fan_out_groups(entries: Sequence[Entry], groups: Iterable[Group]) -> Iterator[FanOutGroup]:
    """What a token permits is asked here again: the call may be in another queue than at the subscription."""
    for group in groups:
        owed = [
            entry
            for entry in entries
            if not group.topics.isdisjoint(entry.topics) and can_see_any(group.principal, entry.queues)
        ]
        if owed:
            outbox_ids = {entry.outbox_id for entry in owed}
            traces = [entry.trace for entry in owed if entry.trace and entry.is_whole_for(group.principal)]
            gone = {topic for entry in owed if not entry.items for topic in entry.topics & group.topics}
            items = (item for entry in owed for item in entry.items_for(group.principal))
            bundle = FrameBatch(items, group.topics, traces=traces, gone=gone)
            yield FanOutGroup(bundle.shed() if len(outbox_ids) > 1 else bundle, outbox_ids, group.connection_ids)
