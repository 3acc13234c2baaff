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

A_TURN = 500  # events: a tenth of a second on a busy machine, as the promises wait meanwhile
OfAgent = tuple[str, AgentCause]
Timeline = tuple[AgentInterval | None, Sequence[AgentInterval]]  # the span before a moment, and those from it on


@dataclass(slots=True)
class Change:
    """What becomes of agents' spans, each with its agent."""

    gone: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])
    come: set[tuple[str, AgentInterval]] = field(default_factory=set[tuple[str, AgentInterval]])


class Turn(Protocol):
    """One transaction, alone at the agents' time. Words from before `kept_since` are forgotten."""

    kept_since: datetime
    calls: Sequence[str]  # of which the log says something new
    reports: Sequence[OfAgent]  # what agents said that is new
    events: int

    def logs(self, call_ids: Collection[str]) -> Iterable[Sequence[Event]]:
        """The events of each call that happened."""
        ...

    def forgiven(self, queue_ids: Collection[str]) -> Mapping[str, int]:
        """How many misses in a row send an agent away, by queue."""
        ...

    def said(self, call_ids: Collection[str]) -> Collection[OfAgent]:
        """What these calls have said so far."""
        ...

    def reported(self, agent_id: str) -> Collection[AgentCause]:
        """All that this agent ever said, as far as it was followed."""
        ...

    def timelines(self, since: Mapping[str, datetime]) -> Mapping[str, Timeline]: ...

    def write(self, change: Change) -> None: ...


class TimeBook(Protocol):
    def turn(self, events: int) -> AbstractContextManager[Turn | None]:
        """With so many events of the log that are new, more where one transaction has more; None while another has it.

        Raises `UnavailableError`.
        """
        ...

    def alone(self) -> AbstractContextManager[Turn]:
        """Without anything new, as soon as nobody else has it."""
        ...


def keep_time(book: TimeBook, limit: int = A_TURN) -> int:
    """How many events were followed, at most the limit; as many as that where there may be more."""
    with book.turn(limit) as turn:
        if turn is None:
            return 0
        settle(turn, turn.calls, turn.reports)
        return turn.events


def settle(turn: Turn, call_ids: Collection[str], reports: Collection[OfAgent] = ()) -> Collection[OfAgent]:
    """Make the spans what these calls say by now, and what agents report beside; what had to change of that."""
    said = {cause for cause in turn.said(call_ids) if cause[1].at >= turn.kept_since}
    now_said = {cause for cause in (*_of_calls(turn, call_ids, said), *reports) if cause[1].at >= turn.kept_since}
    if changed := said ^ now_said:
        turn.write(follow_anew(turn, changed - now_said, changed - said))
    return changed


def settle_agent(turn: Turn, agent_id: str) -> Change:
    """Make an agent's spans what the calls in them say, and all that the agent reported; what had to change."""
    _, kept = turn.timelines({agent_id: turn.kept_since})[agent_id]
    said = {interval.cause for interval in kept if interval.cause.of_call or interval.cause.carried_state}
    said |= {cause for cause in turn.reported(agent_id) if cause.at >= turn.kept_since}
    found = intervals(said, AgentState())
    change = Change(
        {(agent_id, interval) for interval in {*kept} - {*found}},
        {(agent_id, interval) for interval in {*found} - {*kept}},
    )
    if change.gone or change.come:
        turn.write(change)
    return change


def _of_calls(turn: Turn, call_ids: Collection[str], said: Collection[OfAgent]) -> Iterable[OfAgent]:
    """How many misses a queue forgives is asked of it once, when a word is new."""
    found = [said for log in turn.logs(call_ids) for said in agent_causes(log)]
    asked = {(agent_id, cause.order): cause.max_misses for agent_id, cause in said}
    forgiven = turn.forgiven({queue_id for _, queue_id, _ in found})
    return [
        (agent_id, replace(cause, max_misses=asked.get((agent_id, cause.order)) or forgiven.get(queue_id, 1)))
        for agent_id, queue_id, cause in found
    ]


def follow_anew(turn: Turn, unsaid: Collection[OfAgent], added: Collection[OfAgent]) -> Change:
    """Each agent's spans from the first word on that is said no more, or said only now."""
    by_agent: dict[str, list[AgentCause]] = defaultdict(list)
    for agent_id, cause in (*unsaid, *added):
        by_agent[agent_id].append(cause)
    since = {agent_id: min(cause.at for cause in changed) for agent_id, changed in by_agent.items()}
    change = Change()
    for agent_id, (before, kept) in turn.timelines(since).items():
        old = {interval.cause: interval for interval in kept}
        new = (old.keys() - {w for a, w in unsaid if a == agent_id}) | {w for a, w in added if a == agent_id}
        found = intervals(new, before.state if before else AgentState())
        was = {*kept, before} if before else set(kept)
        become = {*found, replace(before, ended=found[0].cause.at if found else None)} if before else set(found)
        change.gone |= {(agent_id, interval) for interval in was - become}
        change.come |= {(agent_id, interval) for interval in become - was}
    return change
