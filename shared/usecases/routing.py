"""Sorts what was published by who must get it: one bundle for all connections with the same interests. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.contracts.feed import Published
from shared.usecases.audience import queues_of_change, sees_any, topics_of_agent, topics_of_change
from shared.usecases.bundle import Bundle, Item, agent_item, alert_items, call_item, event_item
from shared.usecases.floor import Group


class Entry(NamedTuple):
    """What is told together, on which topics, and for which queues a token must be to see it."""

    items: tuple[Item, ...]
    topics: frozenset[str]
    queues: Collection[str]
    transaction: int
    trace: str | None


@dataclass(frozen=True, slots=True)
class Consignment:
    bundle: Bundle
    transactions: Collection[int]
    connection_ids: Collection[str]


def entries_of(published: Published) -> list[Entry]:
    agents = published.agents
    changes = [
        Entry(
            (call_item(change.call), event_item(change.event), *alert_items(change.event, change.call)),
            topics_of_change(change, agents),
            queues_of_change(change),
            published.transaction,
            published.trace_of(change.event.id),
        )
        for change in published.changes
    ]
    return changes + [
        Entry(
            (agent_item(agent),),
            topics_of_agent(agent),
            agent.queues,
            published.transaction,
            published.traceparent,
        )
        for agent in agents
    ]


def consignments(entries: Sequence[Entry], groups: Iterable[Group]) -> Iterator[Consignment]:
    """What a token permits is asked here again: the call may be in another queue than at the subscription."""
    for group in groups:
        owed = [
            entry
            for entry in entries
            if not group.topics.isdisjoint(entry.topics) and sees_any(group.bearer, entry.queues)
        ]
        if owed:
            transactions = {entry.transaction for entry in owed}
            traces = [entry.trace for entry in owed if entry.trace]
            bundle = Bundle((item for entry in owed for item in entry.items), group.topics, traces=traces)
            yield Consignment(bundle.shed() if len(transactions) > 1 else bundle, transactions, group.connection_ids)
