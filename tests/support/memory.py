"""The system of record in memory: the ports `Transactions` and `UnitOfWork` without a database.

tests/integration/adapters/postgres/recording/test_conformance.py holds it to the behaviour of Postgres. Out of scope
are locks, conflicts between transactions, a second call of one agent, and reports of agents.
"""
# ruff: noqa: ARG002 - the port decides on the parameters

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.agent import ENGAGED, AgentStatus, Effect
from shared.domain.call import Call, Status
from shared.domain.deadlines import TimerKind, flags
from shared.domain.events import EndReason, Limits
from shared.domain.figures import Tally
from shared.domain.routing import Candidate, Routing, Search, Sought, Strategy, rank, sought
from shared.usecases.errors import ConflictError
from shared.usecases.recording.ports import (
    MIN_TIME,
    AgentRecord,
    CallRecord,
    CallUpdates,
    EventRow,
    KnownEvent,
    LoadedCalls,
    LogPositions,
    MovedAgents,
    OutboxEntry,
)

# Postgres stores the other columns of an event once, when the event is recorded.
RESTATED = ("event", "state", "version", "reason", "failed_at", "redriven_at", "attempts")
Timer = tuple[str, TimerKind]


@dataclass(frozen=True)
class MemoryQueue:
    """The set-up of a queue. `aging_seconds` is what one step of priority is worth."""

    limits: Limits = field(default_factory=Limits)
    routing: Routing = field(default_factory=Routing)
    misses_before_away: int = 1
    priority: int = 0
    aging_seconds: float = 60


@dataclass
class Records:
    """All that is committed, or all that one open transaction sees."""

    calls: dict[str, CallRecord] = field(default_factory=dict[str, CallRecord])
    written_at: dict[str, datetime] = field(default_factory=dict[str, datetime])  # by call
    archived: set[str] = field(default_factory=set[str])  # ids of calls
    events: dict[str, list[EventRow]] = field(default_factory=dict[str, list[EventRow]])  # by call, as recorded
    timers: dict[Timer, datetime] = field(default_factory=dict[Timer, datetime])
    agents: dict[str, AgentRecord] = field(default_factory=dict[str, AgentRecord])
    outbox: list[OutboxEntry] = field(default_factory=list[OutboxEntry])

    def copy(self) -> "Records":
        return Records(
            dict(self.calls),
            dict(self.written_at),
            set(self.archived),
            dict(self.events),
            dict(self.timers),
            dict(self.agents),
            list(self.outbox),
        )


class MemoryTransactions:
    """The committed records, and the queues, which no use case of recording updates."""

    def __init__(self, queues: Mapping[str, MemoryQueue]) -> None:
        self.queues = dict(queues)
        self.records = Records()
        self.logs_read = 0
        self.positions = 0
        self.transactions = 0

    @contextmanager
    def begin(self) -> Generator["MemoryUnitOfWork"]:
        self.transactions += 1
        yield MemoryUnitOfWork(self)

    def add_agent(self, agent_id: str, queues: Sequence[str], since: datetime, languages: Sequence[str] = ()) -> None:
        """Add an available agent."""
        self.records.agents[agent_id] = AgentRecord(
            agent_id, agent_id, [*languages], [*queues], AgentStatus.AVAILABLE, since, None, None, {}, 0, 1
        )

    def comparable(self) -> object:
        """The calls and events, to be compared with another store's. Positions are left out: they may have gaps."""
        events = {
            call_id: [replace(row, position=None) for row in rows] for call_id, rows in self.records.events.items()
        }
        return self.records.calls, events

    def tally(self) -> Tally:
        """The figures of all calls."""
        calls = [record.call for record in self.records.calls.values() if record.call]
        return sum((tally_of(call) for call in calls), Tally())


class MemoryUnitOfWork:
    def __init__(self, transactions: MemoryTransactions) -> None:
        self._transactions = transactions
        self._id = transactions.transactions
        self._records = transactions.records.copy()
        self._effects: list[Effect] = []
        self._settled: list[Effect] = []
        self._met: list[Effect] = []
        self._changed: dict[str, AgentRecord] = {}

    def load(
        self,
        call_ids: Collection[str],
        event_ids: Collection[str],
        queue_ids: Collection[str],
        events: int = 0,
        since: datetime = MIN_TIME,
    ) -> LoadedCalls:
        ids = set(event_ids)
        known = {
            row.event.id: KnownEvent(call_id, row.fingerprint)
            for call_id, rows in self._records.events.items()
            for row in rows
            if row.event.id in ids and (call_id in call_ids or row.event.received_at >= since)
        }
        queues = self._transactions.queues
        return LoadedCalls(
            {call_id: replace(self._records.calls.get(call_id, CallRecord(call_id))) for call_id in call_ids},
            known,
            {queue_id: queues[queue_id].limits for queue_id in queue_ids if queue_id in queues},
        )

    def reserve_positions(self, events: int) -> LogPositions:
        begin, self._transactions.positions = self._transactions.positions, self._transactions.positions + events
        return LogPositions(self._id, range(begin, begin + events))

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]:
        self._transactions.logs_read += 1
        return {
            call_id: [replace(row) for row in rows]
            for call_id in call_ids
            if (rows := self._records.events.get(call_id))
        }

    def due_timers(self, now: datetime, limit: int) -> Mapping[str, set[TimerKind]]:
        due: dict[str, set[TimerKind]] = {}
        for wanted in TimerKind:
            found = [
                (due_at, call_id)
                for (call_id, kind), due_at in self._records.timers.items()
                if kind is wanted and due_at <= now and call_id in self._records.calls
            ]
            for _, call_id in sorted(found)[:limit]:
                due.setdefault(call_id, set()).add(wanted)
        return due

    def waiting_calls(self, now: datetime, queue_ids: Collection[str] | None, limit: int) -> Sequence[str]:
        calls = [record.call for record in self._records.calls.values() if record.call]
        found = [call for call in calls if self._can_be_offered(call, now, queue_ids)]
        return [call.id for call in sorted(found, key=self._place)][:limit]

    def _can_be_offered(self, call: Call, now: datetime, queue_ids: Collection[str] | None) -> bool:
        agents_sought, routing = sought(call), self._transactions.queues[call.queue_id].routing
        if not agents_sought or (
            queue_ids is not None and not {call.queue_id, routing.overflow_queue_id} & {*queue_ids}
        ):
            return False
        overflow = routing.overflow_queue_id if agents_sought is Sought.ANY else None
        overflows = bool(overflow) and call.initiated_at + timedelta(seconds=routing.overflow_seconds or 0) <= now
        queues = [call.queue_id, *([overflow] if overflow and overflows else [])]
        return any(self._is_free(agent, queue_id, call.language) for queue_id in queues for agent in self._agents)

    def _place(self, call: Call) -> tuple[datetime, str]:
        queue = self._transactions.queues[call.queue_id]
        priority = queue.priority if call.priority is None else call.priority
        return call.initiated_at - timedelta(seconds=priority * queue.aging_seconds), call.id

    @property
    def _agents(self) -> Iterable[AgentRecord]:
        return self._records.agents.values()

    @staticmethod
    def _is_free(agent: AgentRecord, queue_id: str, language: str | None) -> bool:
        speaks = language is None or language in agent.languages
        return agent.status is AgentStatus.AVAILABLE and queue_id in agent.queues and speaks

    def routing(self, queue_ids: Collection[str]) -> Mapping[str, Routing]:
        queues = self._transactions.queues
        return {queue_id: queues[queue_id].routing for queue_id in queue_ids if queue_id in queues}

    def apply_effects(self, effects: Sequence[Effect]) -> None:
        self._settled += effects
        self._apply(effects)

    def claim_agent(self, call: Call, search: Search, strategy: Strategy, at: datetime) -> str | None:
        free = [
            Candidate(agent.id, agent.skills.get(search.queue_id, 1), agent.status_since, 0, agent.status_since)
            for agent in self._agents
            if self._is_free(agent, search.queue_id, call.language) and agent.id not in search.but_for
        ]
        if not free:
            return None
        agent_id = min(free, key=lambda candidate: rank(strategy, candidate, at)).agent_id
        self._update(agent_id, status=AgentStatus.OFFERED, status_since=at, call_id=call.id, reason=None)
        return agent_id

    def record(self, rows: Sequence[EventRow]) -> None:
        recorded = {row.event.id for rows in self._records.events.values() for row in rows}
        if recorded & {row.event.id for row in rows}:
            raise ConflictError("An event of this id is recorded.")
        for row in rows:
            call_id = row.event.call_id
            self._records.events[call_id] = [*self._records.events.get(call_id, ()), replace(row)]

    def write(self, updates: CallUpdates, now: datetime) -> None:
        for record in updates.records:
            if not record.exists and record.id in self._records.calls:
                raise ConflictError("The call is on record.")
            self._records.calls[record.id] = replace(record, exists=True)
            self._records.written_at[record.id] = now
            self._records.archived.discard(record.id)
        for restated in updates.changed_events:
            self._restate(restated)
        for timer in updates.disarmed:
            self._records.timers.pop(timer, None)
        self._records.timers |= updates.armed
        self._effects += updates.effects
        self._met += updates.agents_to_register

    def _restate(self, restated: EventRow) -> None:
        rows = self._records.events[restated.event.call_id]
        values = {name: getattr(restated, name) for name in RESTATED}
        self._records.events[restated.event.call_id] = [
            replace(row, **values) if row.event.id == restated.event.id else row for row in rows
        ]

    def commit(self, outbox_entry: OutboxEntry, now: datetime, during_commit: Callable[[], None]) -> MovedAgents:
        during_commit()
        for effect in sorted(self._met, key=lambda effect: effect.since):
            if effect.agent_id not in self._records.agents:
                self._register(effect)
        self._apply(self._effects)
        effects = (*self._settled, *self._met, *self._effects)
        moves = list(dict.fromkeys((effect.agent_id, effect.call_id) for effect in effects))
        if outbox_entry.calls or moves:
            self._records.outbox.append(outbox_entry)
        self._transactions.records = self._records
        return MovedAgents(list(self._changed.values()), moves)

    def archive_calls(self, before: datetime, limit: int) -> int:
        with_timers = {call_id for call_id, _ in self._records.timers}
        over = sorted(
            (written_at, call_id)
            for call_id, written_at in self._records.written_at.items()
            if call_id not in self._records.archived | with_timers and self._is_over(call_id) and written_at < before
        )[:limit]
        self._records.archived |= {call_id for _, call_id in over}
        self._transactions.records = self._records
        return len(over)

    def _is_over(self, call_id: str) -> bool:
        record = self._records.calls[call_id]
        return record.call.status is Status.ENDED if record.call else not record.deferred

    def _apply(self, effects: Sequence[Effect]) -> None:
        """Releases first: a call releases one agent before it takes the next."""
        in_order = sorted(effects, key=lambda effect: effect.since)
        for effect in in_order:
            if effect.status not in ENGAGED:
                self._release(effect)
        for effect in in_order:
            if effect.status in ENGAGED:
                self._engage(effect)

    def _release(self, effect: Effect) -> None:
        agent = self._records.agents.get(effect.agent_id)
        if agent is None:
            return
        is_result = effect.status is not AgentStatus.AVAILABLE or effect.engaged_since is not None
        applies_late = (
            is_result and not effect.known and agent.status not in ENGAGED and agent.status_since <= effect.since
        )
        if agent.call_id != effect.call_id and not applies_late:
            return
        is_miss = effect.status is AgentStatus.AWAY and agent.status is not AgentStatus.AWAY
        forgiven = is_miss and (effect.known or agent.misses + 1 < self._misses_before_away(effect.call_id))
        misses = agent.misses
        if is_miss and not effect.known:
            misses += 1
        elif effect.engaged_since and effect.status is not AgentStatus.AWAY:
            misses = 0
        elif effect.status is AgentStatus.AVAILABLE and agent.status in (AgentStatus.AWAY, AgentStatus.AVAILABLE):
            misses = max(misses - 1, 0)  # the miss is withdrawn
        self._update(
            agent.id,
            status=AgentStatus.AVAILABLE if forgiven else effect.status,
            status_since=effect.since,
            reason=None if forgiven else effect.reason,
            call_id=effect.call_id,
            misses=misses,
        )

    def _misses_before_away(self, call_id: str) -> int:
        call = self._records.calls[call_id].call
        return self._transactions.queues[call.queue_id].misses_before_away if call else 1

    def _engage(self, effect: Effect) -> None:
        agent = self._records.agents.get(effect.agent_id)
        if agent is None:
            self._register(effect)
        elif agent.call_id == effect.call_id or agent.status not in ENGAGED:
            self._update(
                agent.id,
                status=effect.status,
                status_since=effect.since,
                call_id=effect.call_id,
                reason=None,
                misses=0 if effect.status is AgentStatus.ON_CALL else agent.misses,
            )

    def _register(self, effect: Effect) -> None:
        agent_id = effect.agent_id
        self._records.agents[agent_id] = self._changed[agent_id] = AgentRecord(
            agent_id, agent_id, [], [], effect.status, effect.since, effect.call_id, None, {}, 0, 1
        )

    def _update(self, agent_id: str, **values: object) -> None:
        agent = self._records.agents[agent_id]
        changed = replace(agent, **values, version=agent.version + 1)  # type: ignore[arg-type]
        self._records.agents[agent_id] = self._changed[agent_id] = changed


def tally_of(call: Call) -> Tally:
    """What one call adds to the figures. The same rules are in SQL in adapters/postgres/figures/call_figures.py."""
    raised = {flag.value for flag in flags(call)}
    answered, ended = call.answered_at is not None, call.ended_at is not None
    abandoned = not answered and call.end_reason is EndReason.ABANDONED
    wait_ms = round((call.wait_seconds or 0) * 1000)
    handled = answered and ended
    return Tally(
        offered=1,
        answered=answered,
        answered_in_time=answered and "sla_breached" not in raised,
        abandoned=abandoned,
        short_abandons=abandoned and "sla_breached" not in raised,
        failed=not answered and call.end_reason is EndReason.FAILED,
        sla_breached="sla_breached" in raised,
        waited=call.wait_seconds is not None,
        wait_ms=wait_ms,
        answered_wait_ms=wait_ms if answered else 0,
        longest_wait_ms=wait_ms,
        handled=handled,
        talk_ms=round(max((call.duration_seconds or 0) - call.hold_seconds, 0) * 1000) if handled else 0,
        hold_ms=round(call.hold_seconds * 1000) if handled else 0,
        misses=call.misses,
        missed=min(call.misses, 1),
        transfers=call.transfers,
        transferred=min(call.transfers, 1),
        holds=call.holds,
        held=min(call.holds, 1),
        hold_exceeded="hold_exceeded" in raised,
        hold_excess_ms=round(call.hold_excess_seconds * 1000),
        short_calls="short_call" in raised,
    )
