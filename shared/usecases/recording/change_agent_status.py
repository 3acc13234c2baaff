"""Records what agents report of themselves: available, away, offline."""

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
    """A report by an agent, or by the telephony system for an agent.

    at: when the status began.
    dated: whether the sender gave that time.
    fingerprint: of the body as sent.
    sequence: orders reports of one instant.
    """

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
        """Orders the reports of one instant: by sequence if they have one, else by event id."""
        return self.event_id if self.sequence is None else f"{self.sequence:016}.{self.event_id}"


@dataclass(frozen=True, slots=True)
class Changed:
    """The outcome for the sender. `declined` is the ringing call that the agent declines with this report."""

    event_id: str
    outcome: Literal["applied", "replayed", "deferred"]
    declined: str | None = None


@dataclass(frozen=True, slots=True)
class AgentChange:
    """The outcome of a change, and the agent after it.

    left_queues: the queues from which the change removed the agent.
    """

    outcome: Literal["applied", "replayed", "key_reused", "unknown", "deferred", "outdated"]
    agent: AgentRecord | None = None
    transaction: int | None = None
    traceparent: str | None = None
    left_queues: Sequence[str] = ()


class AgentRegistry(Protocol):
    def change(self, change: StatusChange) -> AgentChange:
        """Record and apply the change in one transaction. If a call has the agent, it applies when the call ends."""
        ...

    def put_agent(self, agent_id: str, setup: AgentSetup, now: datetime) -> AgentChange:
        """Create an agent, or change everything but its status."""
        ...


def set_up_agent(
    registry: AgentRegistry, agent_id: str, setup: AgentSetup, now: datetime
) -> tuple[AgentView, TransactionNotices]:
    """Create or change an agent. Returns the agent, and the notices of the transaction."""
    changed = registry.put_agent(agent_id, setup, now)
    agent = changed.agent
    assert agent, "the agent exists after it was set up"
    left_queues = {agent_id: changed.left_queues} if changed.left_queues else {}
    notices = TransactionNotices((), [agent], changed.transaction, changed.traceparent, left_queues=left_queues)
    shown = {name: getattr(agent, name) for name in AgentView.model_fields}
    if agent.status is AgentStatus.AVAILABLE:
        shown["call_id"] = None
    return AgentView.model_construct(**shown), notices


def change_status(registry: AgentRegistry, change: StatusChange) -> tuple[Changed | Problem, TransactionNotices]:
    """Record the agent's report. Returns its outcome, and the notices of the transaction."""
    changed = registry.change(change)
    agents = [changed.agent] if changed.outcome == "applied" and changed.agent else []
    return _answer(changed, change), TransactionNotices((), agents, changed.transaction, changed.traceparent)


def _answer(changed: AgentChange, change: StatusChange) -> Changed | Problem:
    event_id, agent_id = change.event_id, change.agent_id
    match changed.outcome:
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
            agent = changed.agent
            rings = agent and agent.status is AgentStatus.OFFERED and change.status != AgentStatus.AVAILABLE
            return Changed(event_id, "deferred", agent.call_id if agent and rings else None)
