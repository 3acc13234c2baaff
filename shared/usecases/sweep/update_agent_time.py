"""Computes from the log how each agent spent the time: a batch of events in each transaction.

Recording does not wait for this. A batch finds the causes in the calls of new events, and recomputes the intervals of
each agent from the first cause that changed. So order, copies and late events make no difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from shared.domain.agent_time import AgentCause, AgentInterval, AgentState, agent_causes, intervals
from shared.domain.events import Event

EVENTS_PER_BATCH = 500  # a tenth of a second on a busy machine; timers wait for it
CauseOfAgent = tuple[str, AgentCause]
Timeline = tuple[AgentInterval | None, Sequence[AgentInterval]]  # the interval before a time, and those from then on


@dataclass(slots=True)
class IntervalChanges:
    """Intervals to delete and to insert, each with its agent."""

    removed: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])
    added: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])


class AgentTimeBatch(Protocol):
    """One transaction, with a lock on agent time.

    kept_since: earlier causes are deleted.
    calls: ids of the calls of new events.
    reports: new reports of agents.
    events: the number of new events.
    """

    kept_since: datetime
    calls: Sequence[str]
    reports: Sequence[CauseOfAgent]
    events: int

    def logs(self, call_ids: Collection[str]) -> Iterable[Sequence[Event]]:
        """The applied events of each call."""
        ...

    def max_misses(self, queue_ids: Collection[str]) -> Mapping[str, int]:
        """The number of misses in a row that make an agent away, by queue id."""
        ...

    def causes_of_calls(self, call_ids: Collection[str]) -> Collection[CauseOfAgent]:
        """The causes of these calls that are stored now."""
        ...

    def reports_of(self, agent_id: str) -> Collection[AgentCause]:
        """All reports of this agent that were processed."""
        ...

    def timelines(self, since: Mapping[str, datetime]) -> Mapping[str, Timeline]:
        """The stored intervals of each agent from its time on."""
        ...

    def write(self, changes: IntervalChanges) -> None: ...


class AgentTimeStore(Protocol):
    def batch(self, events: int) -> AbstractContextManager[AgentTimeBatch | None]:
        """A batch of so many new events, or more if one transaction has more. None while another sweep holds the lock.

        Raises `UnavailableError`.
        """
        ...

    def empty_batch(self) -> AbstractContextManager[AgentTimeBatch]:
        """A batch without new events. Waits for the lock."""
        ...


def update_agent_time(agent_time_store: AgentTimeStore, limit: int = EVENTS_PER_BATCH) -> int:
    """Process one batch. Returns the number of events: `limit` if there may be more."""
    with agent_time_store.batch(limit) as batch:
        if batch is None:
            return 0
        update_calls(batch, batch.calls, batch.reports)
        return batch.events


def update_calls(
    batch: AgentTimeBatch, call_ids: Collection[str], reports: Collection[CauseOfAgent] = ()
) -> Collection[CauseOfAgent]:
    """Update the intervals to the causes in these calls and to these reports. Returns the causes that changed."""
    stored = {cause for cause in batch.causes_of_calls(call_ids) if cause[1].at >= batch.kept_since}
    current = {
        cause for cause in (*_current_causes(batch, call_ids, stored), *reports) if cause[1].at >= batch.kept_since
    }
    if changed := stored ^ current:
        batch.write(changed_intervals(batch, changed - current, changed - stored))
    return changed


def rebuild_agent(batch: AgentTimeBatch, agent_id: str) -> IntervalChanges:
    """Recompute all intervals of an agent from its stored causes and all its reports. Returns what changed."""
    _, stored = batch.timelines({agent_id: batch.kept_since})[agent_id]
    causes = {interval.cause for interval in stored if interval.cause.of_call or interval.cause.carried_state}
    causes |= {cause for cause in batch.reports_of(agent_id) if cause.at >= batch.kept_since}
    computed = intervals(causes, AgentState())
    changes = IntervalChanges(
        {(agent_id, interval) for interval in {*stored} - {*computed}},
        {(agent_id, interval) for interval in {*computed} - {*stored}},
    )
    if changes.removed or changes.added:
        batch.write(changes)
    return changes


def _current_causes(
    batch: AgentTimeBatch, call_ids: Collection[str], stored: Collection[CauseOfAgent]
) -> Iterable[CauseOfAgent]:
    """The causes in the logs of these calls. A stored cause keeps the queue's number of misses of that time."""
    causes = [cause for log in batch.logs(call_ids) for cause in agent_causes(log)]
    stored_misses = {(agent_id, cause.order): cause.max_misses for agent_id, cause in stored}
    max_misses = batch.max_misses({queue_id for _, queue_id, _ in causes})
    return [
        (
            agent_id,
            replace(cause, max_misses=stored_misses.get((agent_id, cause.order)) or max_misses.get(queue_id, 1)),
        )
        for agent_id, queue_id, cause in causes
    ]


def changed_intervals(
    batch: AgentTimeBatch, removed: Collection[CauseOfAgent], added: Collection[CauseOfAgent]
) -> IntervalChanges:
    """Recompute the intervals of each agent from its first removed or added cause."""
    by_agent: dict[str, list[AgentCause]] = defaultdict(list)
    for agent_id, cause in (*removed, *added):
        by_agent[agent_id].append(cause)
    since = {agent_id: min(cause.at for cause in causes) for agent_id, causes in by_agent.items()}
    changes = IntervalChanges()
    for agent_id, (before, stored) in batch.timelines(since).items():
        causes = {interval.cause for interval in stored}
        causes -= {cause for one, cause in removed if one == agent_id}
        causes |= {cause for one, cause in added if one == agent_id}
        computed = intervals(causes, before.state if before else AgentState())
        old, new = set(stored), set(computed)
        if before:
            old.add(before)
            new.add(replace(before, ended=computed[0].cause.at if computed else None))
        changes.removed |= {(agent_id, interval) for interval in old - new}
        changes.added |= {(agent_id, interval) for interval in new - old}
    return changes
