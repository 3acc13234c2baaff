"""Agents say what they do: available, away, offline. What a call does to them is the recorder's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from shared.contracts.problems import Problem, problem
from shared.contracts.setup import AgentSetup
from shared.contracts.views import AgentView
from shared.domain.agent import AgentStatus
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import AgentRecord


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What an agent, or telephony for one, reports."""

    event_id: str
    agent_id: str
    status: str
    reason: str | None
    at: datetime
    received_at: datetime
    fingerprint: str
    dated: bool
    sequence: int | None = None

    @property
    def source(self) -> str:
        """The report's name. In one instant reports follow each other by it: by their sequence where they have one."""
        return self.event_id if self.sequence is None else f"{self.sequence:016}.{self.event_id}"


@dataclass(frozen=True, slots=True)
class Changed:
    """What the sender is told. `declined` is the call that the agent, whose phone rings, will not take."""

    event_id: str
    outcome: Literal["applied", "replayed", "deferred"]
    declined: str | None = None


@dataclass(frozen=True, slots=True)
class AgentChange:
    """What the registry made of a change, and the agent as it stands now; `left` are queues of the agent's no more."""

    outcome: Literal["applied", "replayed", "key_reused", "unknown", "deferred", "outdated"]
    agent: AgentRecord | None = None
    transaction: int | None = None
    traceparent: str | None = None
    left: Sequence[str] = ()


class AgentRegistry(Protocol):
    def change(self, change: StatusChange) -> AgentChange:
        """Record the change and apply it in one transaction; while a call has the agent, apply it when that is over."""
        ...

    def put_agent(self, agent_id: str, setup: AgentSetup, now: datetime) -> AgentChange:
        """Create an agent, or change the name and skills of one. A status belongs to the agent once there is one."""
        ...


def set_up_agent(
    registry: AgentRegistry, agent_id: str, setup: AgentSetup, now: datetime
) -> tuple[AgentView, TransactionNotices]:
    """Create or change an agent. Returns the agent, and the notices of the transaction."""
    changed = registry.put_agent(agent_id, setup, now)
    agent = changed.agent
    assert agent, "who was put is on record"
    left = {agent_id: changed.left} if changed.left else {}
    news = TransactionNotices((), [agent], changed.transaction, changed.traceparent, left=left)
    shown = {name: getattr(agent, name) for name in AgentView.model_fields}
    if agent.status is AgentStatus.AVAILABLE:
        shown["call_id"] = None
    return AgentView.model_construct(**shown), news


def change_status(registry: AgentRegistry, change: StatusChange) -> tuple[Changed | Problem, TransactionNotices]:
    """Record the agent's report. Returns its outcome, and the notices of the transaction."""
    found = registry.change(change)
    agents = [found.agent] if found.outcome == "applied" and found.agent else []
    return _answer(found, change), TransactionNotices((), agents, found.transaction, found.traceparent)


def _answer(found: AgentChange, change: StatusChange) -> Changed | Problem:
    event_id, agent_id = change.event_id, change.agent_id
    match found.outcome:
        case "applied" | "outdated":  # outdated: recorded, and a newer report is in effect
            return Changed(event_id, "applied")
        case "replayed":
            return Changed(event_id, "replayed")
        case "key_reused":
            detail = f"The id {event_id} was used before, for something else."
            return problem(422, detail, ("eventId", "was used before with another body"))
        case "unknown":
            return problem(400, f"There is no agent {agent_id}.", ("agentId", "is not an agent known here"))
        case "deferred":
            agent = found.agent
            rings = agent and agent.status is AgentStatus.OFFERED and change.status != AgentStatus.AVAILABLE
            return Changed(event_id, "deferred", agent.call_id if agent and rings else None)
