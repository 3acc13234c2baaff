"""The port to Postgres: one transaction over calls, events, timers, agents and the outbox."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from shared.domain.agent import AgentStatus, Effect
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind
from shared.domain.events import Event, Limits
from shared.domain.fast import fast_frozen
from shared.domain.routing import Routing, Search, Strategy


class EventState(StrEnum):
    """State of a recorded event. A dead event waited for its predecessor until the grace period ended."""

    APPLIED = "applied"
    DEFERRED = "deferred"
    VOID = "void"
    DEAD = "dead"


MIN_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class EventRow:
    """A recorded event.

    fingerprint: of the body as sent.
    version: the call's version after the event; None if the event is not applied.
    position: its place in the log.
    reason, failed_at: why and since when it is dead.
    redriven_at: when it last began to wait again, after a redrive or because it was no longer legal at its place.
    attempts: how often it was tried.
    """

    event: Event
    fingerprint: str
    state: EventState
    version: int | None = None
    position: int | None = None
    reason: str | None = None
    failed_at: datetime | None = None
    redriven_at: datetime | None = None
    attempts: int = 1

    @property
    def deferred_since(self) -> datetime:
        return self.redriven_at or self.event.received_at


@dataclass(slots=True)
class CallRecord:
    """A call and its bookkeeping.

    call: None if only deferred events of the call have arrived.
    deferred: the number of deferred events.
    void_until: the latest time of a void conclusion. An earlier event may make that legal again.
    last_event_id, last_fingerprint: the latest event that a sender reported.
    exists: whether it is in the database.
    """

    id: str
    call: Call | None = None
    deferred: int = 0
    void_until: datetime | None = None
    last_event_id: str | None = None
    last_fingerprint: str | None = None
    exists: bool = False

    def summarize(self, rows: Sequence[EventRow]) -> None:
        """Update the bookkeeping from all events that are not dead."""
        self.deferred = sum(row.state is EventState.DEFERRED for row in rows)
        self.void_until = max((row.event.at for row in rows if row.state is EventState.VOID), default=None)


@fast_frozen
class KnownEvent:
    """An event that was recorded before under the same id."""

    call_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LoadedCalls:
    """Calls, locked until the transaction ends.

    records: by call id, also for new calls.
    known: the events that were recorded before, by event id.
    limits: by queue id; an unknown queue is missing.
    """

    records: Mapping[str, CallRecord]
    known: Mapping[str, KnownEvent]
    limits: Mapping[str, Limits]


class Departure(NamedTuple):
    """What a call left. Subscribers of the queue or agent remove the call from their view.

    queue_id, agent_id: None if the call is still there.
    flagged: whether the call lost its flags, so that it leaves the list of alerts.
    """

    queue_id: str | None = None
    agent_id: str | None = None
    flagged: bool = False


class OutboxCall(NamedTuple):
    """A call in the outbox entry, with its queue after the transaction."""

    queue_id: str
    departure: Departure


@dataclass(slots=True)
class CallUpdates:
    """The rows that a transaction writes, besides new events.

    records: the calls.
    changed_events: recorded events with another state or time.
    armed, disarmed: timers to set and to delete.
    effects: changes of agents.
    agents_to_register: agents that the events name and that no effect concerns; unknown ones are registered.
    """

    records: list[CallRecord] = field(default_factory=list[CallRecord])
    changed_events: list[EventRow] = field(default_factory=list[EventRow])
    armed: dict[tuple[str, TimerKind], datetime] = field(default_factory=dict[tuple[str, TimerKind], datetime])
    disarmed: set[tuple[str, TimerKind]] = field(default_factory=set[tuple[str, TimerKind]])
    effects: list[Effect] = field(default_factory=list[Effect])
    agents_to_register: list[Effect] = field(default_factory=list[Effect])


@dataclass(slots=True)
class OutboxEntry:
    """The content of a transaction's outbox rows.

    calls: the changed calls by id.
    traceparent: the trace of the request.
    traces: the traceparents of events that were sent with their own, by event id.
    """

    calls: dict[str, OutboxCall] = field(default_factory=dict[str, OutboxCall])
    traceparent: str | None = None
    traces: Mapping[str, str] = field(default_factory=dict[str, str])


@fast_frozen
class AgentRecord:
    """A recorded agent.

    status_since: when the status began.
    call_id: the call that caused the status; None if the agent reported it.
    reason: as reported with the status.
    skills: priority of each skill.
    misses: calls missed in a row.
    version: increases with each change.
    """

    id: str
    name: str
    languages: list[str]
    queues: list[str]
    status: AgentStatus
    status_since: datetime
    call_id: str | None
    reason: str | None
    skills: dict[str, int]
    misses: int
    version: int


@dataclass(frozen=True, slots=True)
class LogPositions:
    """The transaction's id, and positions in the log that are reserved for its events."""

    transaction: int
    positions: Sequence[int]


class MovedAgents(NamedTuple):
    """The agents after a transaction, and pairs of an agent and the call whose effect was applied to the agent. A pair
    is also listed if the effect changed nothing.
    """

    agents: Sequence[AgentRecord]
    moves: Sequence[tuple[str, str]]


class UnitOfWork(Protocol):
    """One open transaction."""

    def load(
        self,
        call_ids: Collection[str],
        event_ids: Collection[str],
        queue_ids: Collection[str],
        events: int = 0,
        since: datetime = MIN_TIME,
    ) -> LoadedCalls:
        """Lock and read these calls, also from the archive. Reserves positions for so many events.

        Finds events with these ids if they belong to one of these calls, or if they were received after `since`.
        """
        ...

    def reserve_positions(self, events: int) -> LogPositions:
        """No round trip if `load` has reserved enough positions."""
        ...

    def archive_calls(self, before: datetime, limit: int) -> int:
        """Archive calls that are over, have no timer and were last written before this time. Commits.

        Returns the number of calls.
        """
        ...

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]:
        """All events of these calls, in the order of the log."""
        ...

    def due_timers(self, now: datetime, limit: int) -> Mapping[str, set[TimerKind]]:
        """The earliest due timers by call id, at most `limit` of each kind.

        Locks their calls, and skips calls that another transaction has locked.
        """
        ...

    def waiting_calls(self, now: datetime, queue_ids: Collection[str] | None, limit: int) -> Sequence[str]:
        """Ids of calls for which an agent is free, in queue order. Locks and skips like `due_timers`.

        `queue_ids` selects calls that wait in one of these queues or may get its agents. None selects all.
        """
        ...

    def routing(self, queue_ids: Collection[str]) -> Mapping[str, Routing]: ...

    def apply_effects(self, effects: Sequence[Effect]) -> None:
        """Apply the effects now, so that the next claim sees them."""
        ...

    def claim_agent(self, call: Call, search: Search, strategy: Strategy, at: datetime) -> str | None:
        """Assign the first agent that matches, in the order of the strategy. None if no agent is free."""
        ...

    def record(self, rows: Sequence[EventRow]) -> None:
        """Insert new events. Does not wait for Postgres."""
        ...

    def write(self, updates: CallUpdates, now: datetime) -> None:
        """Does not wait for Postgres. Effects are applied at the commit, because one call may release an agent that
        another call takes.
        """
        ...

    def commit(self, outbox_entry: OutboxEntry, now: datetime, during_commit: Callable[[], None]) -> MovedAgents:
        """Commit, and call `during_commit` once while Postgres works. Raises `ConflictError`.

        The overlap saves 8 % of the time of a request with 100 to 500 events, and nothing with one event (median
        ratio of interleaved pairs, eight runs).
        """
        ...


class Transactions(Protocol):
    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """Raises `ConflictError` to be tried again now, `UnavailableError` to be tried again later."""
        ...
