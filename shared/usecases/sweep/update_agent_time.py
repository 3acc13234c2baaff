"""Follow the log, and keep what each agent did with the time: a turn at a time, whole or not at all.

Nobody who records waits for this. A turn takes what is new in the log, finds what the calls in it say of agents by now,
and follows each agent anew from the first word that changed: so neither order, copies nor lateness can matter.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from shared.domain.agent_time import AgentCause, AgentInterval, AgentState, agent_causes, intervals
from shared.domain.events import Event

EVENTS_PER_BATCH = 500  # events: a tenth of a second on a busy machine, as the promises wait meanwhile
CauseOfAgent = tuple[str, AgentCause]
Timeline = tuple[AgentInterval | None, Sequence[AgentInterval]]  # the span before a moment, and those from it on


@dataclass(slots=True)
class IntervalChanges:
    """What becomes of agents' spans, each with its agent."""

    removed: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])
    added: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])


class AgentTimeBatch(Protocol):
    """One transaction, alone at the agents' time. Words from before `kept_since` are forgotten."""

    kept_since: datetime
    calls: Sequence[str]  # of which the log says something new
    reports: Sequence[CauseOfAgent]  # what agents said that is new
    events: int

    def logs(self, call_ids: Collection[str]) -> Iterable[Sequence[Event]]:
        """The events of each call that happened."""
        ...

    def forgiven(self, queue_ids: Collection[str]) -> Mapping[str, int]:
        """How many misses in a row send an agent away, by queue."""
        ...

    def said(self, call_ids: Collection[str]) -> Collection[CauseOfAgent]:
        """What these calls have said so far."""
        ...

    def reported(self, agent_id: str) -> Collection[AgentCause]:
        """All that this agent ever said, as far as it was followed."""
        ...

    def timelines(self, since: Mapping[str, datetime]) -> Mapping[str, Timeline]: ...

    def write(self, change: IntervalChanges) -> None: ...


class AgentTimeStore(Protocol):
    def batch(self, events: int) -> AbstractContextManager[AgentTimeBatch | None]:
        """With so many events of the log that are new, more where one transaction has more; None while another has it.

        Raises `UnavailableError`.
        """
        ...

    def empty_batch(self) -> AbstractContextManager[AgentTimeBatch]:
        """Without anything new, as soon as nobody else has it."""
        ...


def update_agent_time(agent_time_store: AgentTimeStore, limit: int = EVENTS_PER_BATCH) -> int:
    """How many events were followed, at most the limit; as many as that where there may be more."""
    with agent_time_store.batch(limit) as batch:
        if batch is None:
            return 0
        update_calls(batch, batch.calls, batch.reports)
        return batch.events


def update_calls(
    batch: AgentTimeBatch, call_ids: Collection[str], reports: Collection[CauseOfAgent] = ()
) -> Collection[CauseOfAgent]:
    """Make the spans what these calls say by now, and what agents report beside; what had to change of that."""
    said = {cause for cause in batch.said(call_ids) if cause[1].at >= batch.kept_since}
    now_said = {cause for cause in (*_of_calls(batch, call_ids, said), *reports) if cause[1].at >= batch.kept_since}
    if changed := said ^ now_said:
        batch.write(changed_intervals(batch, changed - now_said, changed - said))
    return changed


def rebuild_agent(batch: AgentTimeBatch, agent_id: str) -> IntervalChanges:
    """Make an agent's spans what the calls in them say, and all that the agent reported; what had to change."""
    _, kept = batch.timelines({agent_id: batch.kept_since})[agent_id]
    said = {interval.cause for interval in kept if interval.cause.of_call or interval.cause.carried_state}
    said |= {cause for cause in batch.reported(agent_id) if cause.at >= batch.kept_since}
    found = intervals(said, AgentState())
    change = IntervalChanges(
        {(agent_id, interval) for interval in {*kept} - {*found}},
        {(agent_id, interval) for interval in {*found} - {*kept}},
    )
    if change.removed or change.added:
        batch.write(change)
    return change


def _of_calls(
    batch: AgentTimeBatch, call_ids: Collection[str], said: Collection[CauseOfAgent]
) -> Iterable[CauseOfAgent]:
    """How many misses a queue forgives is asked of it once, when a word is new."""
    found = [said for log in batch.logs(call_ids) for said in agent_causes(log)]
    asked = {(agent_id, cause.order): cause.max_misses for agent_id, cause in said}
    forgiven = batch.forgiven({queue_id for _, queue_id, _ in found})
    return [
        (agent_id, replace(cause, max_misses=asked.get((agent_id, cause.order)) or forgiven.get(queue_id, 1)))
        for agent_id, queue_id, cause in found
    ]


def changed_intervals(
    batch: AgentTimeBatch, unsaid: Collection[CauseOfAgent], added: Collection[CauseOfAgent]
) -> IntervalChanges:
    """Each agent's spans from the first word on that is said no more, or said only now."""
    by_agent: dict[str, list[AgentCause]] = defaultdict(list)
    for agent_id, cause in (*unsaid, *added):
        by_agent[agent_id].append(cause)
    since = {agent_id: min(cause.at for cause in changed) for agent_id, changed in by_agent.items()}
    change = IntervalChanges()
    for agent_id, (before, kept) in batch.timelines(since).items():
        old = {interval.cause: interval for interval in kept}
        new = (old.keys() - {w for a, w in unsaid if a == agent_id}) | {w for a, w in added if a == agent_id}
        found = intervals(new, before.state if before else AgentState())
        was = {*kept, before} if before else set(kept)
        become = {*found, replace(before, ended=found[0].cause.at if found else None)} if before else set(found)
        change.removed |= {(agent_id, interval) for interval in was - become}
        change.added |= {(agent_id, interval) for interval in become - was}
    return change
