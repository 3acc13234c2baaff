"""What the use cases ask of the system of record: one transaction over calls, events, timers, agents and outbox."""

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
    """What became of an event on record. A dead one waited for its predecessor until its grace ended."""

    APPLIED = "applied"
    DEFERRED = "deferred"
    VOID = "void"
    DEAD = "dead"


MIN_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class EventRow:
    """An event on record. `version` is the call's after it; `position` is given by the log."""

    event: Event
    fingerprint: str
    state: EventState
    version: int | None = None
    position: int | None = None
    reason: str | None = None  # why it is dead
    failed_at: datetime | None = None  # since when it is dead
    redriven_at: datetime | None = (
        None  # when it last began to wait again: it was given up, or had its place and lost it
    )
    attempts: int = 1

    @property
    def deferred_since(self) -> datetime:
        return self.redriven_at or self.event.received_at


@dataclass(slots=True)
class CallRecord:
    """A call with what the recorder must remember beside it. Without a call, an anchor for events that came early.

    `void_until` is the last place of a conclusion that the facts disprove: what comes before it may prove it after all.
    """

    id: str
    call: Call | None = None
    deferred: int = 0
    void_until: datetime | None = None
    last_event_id: str | None = None
    last_fingerprint: str | None = None
    exists: bool = False

    def remember(self, living: Sequence[EventRow]) -> None:
        """What must be known of the call's living events without reading them."""
        self.deferred = sum(row.state is EventState.DEFERRED for row in living)
        self.void_until = max((row.event.at for row in living if row.state is EventState.VOID), default=None)


@fast_frozen
class KnownEvent:
    """An event that was recorded before under the same id."""

    call_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LoadedCalls:
    """Calls are locked for the rest of the transaction."""

    records: Mapping[str, CallRecord]
    known: Mapping[str, KnownEvent]
    limits: Mapping[str, Limits]


class Departure(NamedTuple):
    """What a call left as it went on: whoever follows that queue or agent must be told, to forget the call. It may have
    left the flagged ones, too.
    """

    queue_id: str | None = None
    agent_id: str | None = None
    flagged: bool = False


class OutboxCall(NamedTuple):
    """What the floor must be told of a call: the queue where it is now, and what it left."""

    queue_id: str
    left: Departure


@dataclass(slots=True)
class CallUpdates:
    """What is written of some calls beside the events that are recorded of them."""

    records: list[CallRecord] = field(default_factory=list[CallRecord])
    restated: list[EventRow] = field(default_factory=list[EventRow])
    armed: dict[tuple[str, TimerKind], datetime] = field(default_factory=dict[tuple[str, TimerKind], datetime])
    disarmed: set[tuple[str, TimerKind]] = field(default_factory=set[tuple[str, TimerKind]])
    effects: list[Effect] = field(default_factory=list[Effect])
    met: list[Effect] = field(default_factory=list[Effect])  # agents whom a call had meanwhile, and has no more


@dataclass(slots=True)
class OutboxEntry:
    """What the floor must be told of one transaction: of which calls, by id, and in which traces it was made."""

    told: dict[str, OutboxCall] = field(default_factory=dict[str, OutboxCall])
    traceparent: str | None = None
    traces: Mapping[str, str] = field(default_factory=dict[str, str])  # of events that brought their own, by id


@fast_frozen
class AgentRecord:
    """An agent as on record. `call_id` is the call that put the agent into this status, where one did."""

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
    """A transaction's own id, and places in the log for what it records."""

    transaction: int
    positions: Sequence[int]


class MovedAgents(NamedTuple):
    """Agents as a transaction left them, and which call moved which of them, or tried to."""

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
        """Calls on the shelf are taken off it, and stay there where nothing is written. `events` may be recorded.

        Events of these ids are found where they belong to these calls, and of any call where received `since`.
        """
        ...

    def reserve_positions(self, events: int) -> LogPositions:
        """Costs no round trip where `load` was told of as many."""
        ...

    def archive_calls(self, before: datetime, limit: int) -> int:
        """Shelve calls that are over, owe nothing and were last written before; how many. Commits."""
        ...

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]: ...

    def due_timers(self, now: datetime, limit: int) -> Mapping[str, set[TimerKind]]:
        """Timers due by call, so many of each kind, earliest first.

        Their calls are locked; calls that others work on are passed over.
        """
        ...

    def waiting_calls(self, now: datetime, queue_ids: Collection[str] | None, limit: int) -> Sequence[str]:
        """Calls that seek an agent where one is free, the head of the queue first, locked as above.

        All of them, or those who may get agents of these queues or wait in them.
        """
        ...

    def routing(self, queue_ids: Collection[str]) -> Mapping[str, Routing]: ...

    def apply_effects(self, effects: Sequence[Effect]) -> None:
        """Apply effects now, before the claims that build on them."""
        ...

    def claim_agent(self, call: Call, search: Search, strategy: Strategy, at: datetime) -> str | None:
        """Engage the first agent by the strategy who may take this call; None when there is none."""
        ...

    def record(self, rows: Sequence[EventRow]) -> None:
        """Events that are new, with their places in the log. Does not wait for the system of record."""
        ...

    def write(self, changes: CallUpdates, now: datetime) -> None:
        """Does not wait for the system of record either. What befalls agents is kept for the end: one call may let go
        of an agent whom another takes.
        """
        ...

    def commit(self, outbox_entry: OutboxEntry, now: datetime, meanwhile: Callable[[], None]) -> MovedAgents:
        """All that was sent, with work to do while the system of record is at it. Raises `ConflictError`."""
        ...


class Transactions(Protocol):
    def begin(self) -> AbstractContextManager[UnitOfWork]: ...
