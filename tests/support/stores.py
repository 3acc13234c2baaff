"""Systems of record for tests of recording and of the sweep, one in memory and one on Postgres."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count

from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.figures.read_figures import PostgresFigures
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.postgres.row_mapping import AGENT, agent_from_row
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind
from shared.domain.events import Event, Fact, Source
from shared.domain.figures import Tally
from shared.usecases.reading.figures import FigureQuery
from shared.usecases.recording.ports import AgentRecord, CallRecord, EventRow, Transactions
from shared.usecases.recording.record_events import Outcome, Submission, record_events
from shared.usecases.sweep.archive_calls import archive_calls
from shared.usecases.sweep.fire_due_timers import fire_due_timers
from shared.usecases.sweep.record_offers import record_offers
from shared.usecases.sweep.services import SweepServices
from tests.support.memory import MemoryQueue, MemoryTransactions

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRACE = timedelta(seconds=60)


def at(second: float) -> datetime:
    return BEGUN + timedelta(seconds=second)


class Unpublished:
    """A publisher without subscribers."""

    def publish(self, notices: Sequence[object]) -> None: ...

    def shards_without_relay(self) -> set[int]:
        return set()


class Store(ABC):
    """The use cases of recording and of the sweep on one system of record. Times are seconds since `BEGUN`."""

    transactions: Transactions

    def __init__(self) -> None:
        self._ids = count()

    @abstractmethod
    def add_queue(self, queue_id: str, queue: MemoryQueue) -> None: ...

    @abstractmethod
    def add_agent(
        self, agent_id: str, queues: Sequence[str], second: float = 0, languages: Sequence[str] = ()
    ) -> None: ...

    @abstractmethod
    def agent(self, agent_id: str) -> AgentRecord: ...

    @abstractmethod
    def timers(self) -> Mapping[tuple[str, TimerKind], datetime]: ...

    @abstractmethod
    def archived(self) -> Collection[str]:
        """The ids of archived calls."""

    @abstractmethod
    def outbox_size(self) -> int: ...

    @abstractmethod
    def tally(self) -> Tally:
        """The figures of all calls."""

    def new_id(self) -> str:
        return f"event-{next(self._ids):03}"

    def event(self, fact: Fact, second: float, call_id: str = "call-1", **fields: object) -> Event:
        event_id = str(fields.pop("id", None) or self.new_id())
        return Event(event_id, call_id, fact, at(second), at(second), dated=True, **fields)  # type: ignore[arg-type]

    def record(
        self, *facts: Fact, second: float, call_id: str = "call-1", source: Source = Source.TELEPHONY
    ) -> Outcome:
        """Record the facts in one batch, all at this time. Returns the outcome of the last."""
        return self.submit([self.event(fact, second, call_id, source=source) for fact in facts], second)[-1]

    def submit(self, events: Sequence[Event], second: float) -> list[Outcome]:
        submissions = [Submission(event, repr(event.fact), has_sender_id=True, has_stable_id=True) for event in events]
        return record_events(self.transactions, submissions, at(second), GRACE).outcomes

    @property
    def services(self) -> SweepServices:
        return SweepServices(self.transactions, Unpublished(), self.new_id, GRACE)

    def sweep(self, second: float) -> int:
        """Fire the timers that are due. Returns their number."""
        return fire_due_timers(self.services, at(second)).count

    def offer(self, second: float, queue_ids: Collection[str] | None = None) -> int:
        """Offer the waiting calls. Returns the number of offers."""
        return record_offers(self.services, at(second), queue_ids).count

    def archive(self, second: float) -> int:
        return archive_calls(self.transactions, at(second))

    def load(self, call_id: str = "call-1") -> CallRecord:
        with self.transactions.begin() as unit_of_work:
            return unit_of_work.load([call_id], (), ()).records[call_id]

    def call(self, call_id: str = "call-1") -> Call:
        call = self.load(call_id).call
        assert call, f"{call_id} is on record"
        return call

    def log(self, call_id: str = "call-1") -> Sequence[EventRow]:
        """The call's events in the order recorded."""
        with self.transactions.begin() as unit_of_work:
            return unit_of_work.logs([call_id]).get(call_id, [])

    def history(self, call_id: str = "call-1") -> list[tuple[str, str]]:
        """The name and the state of each event, in the order of their times."""
        rows = sorted(self.log(call_id), key=lambda row: row.event.order)
        return [(row.event.name, row.state.value) for row in rows]


class MemoryStore(Store):
    def __init__(self) -> None:
        super().__init__()
        self.transactions = self.memory = MemoryTransactions({})

    def add_queue(self, queue_id: str, queue: MemoryQueue) -> None:
        self.memory.queues[queue_id] = queue

    def add_agent(self, agent_id: str, queues: Sequence[str], second: float = 0, languages: Sequence[str] = ()) -> None:
        self.memory.add_agent(agent_id, queues, at(second), languages)

    def agent(self, agent_id: str) -> AgentRecord:
        return self.memory.records.agents[agent_id]

    def timers(self) -> Mapping[tuple[str, TimerKind], datetime]:
        return self.memory.records.timers

    def archived(self) -> Collection[str]:
        return self.memory.records.archived

    def outbox_size(self) -> int:
        return len(self.memory.records.outbox)

    def tally(self) -> Tally:
        return self.memory.tally()


class PostgresStore(Store):
    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.database = Database(database_url)
        self.transactions = PostgresTransactions(self.database)

    def close(self) -> None:
        self.database.close()

    def add_queue(self, queue_id: str, queue: MemoryQueue) -> None:
        values = {
            "id": queue_id,
            "name": queue_id,
            **asdict(queue.limits),  # type: ignore[call-overload]
            "strategy": queue.routing.strategy.value,
            "overflow_seconds": queue.routing.overflow_seconds,
            "overflow_queue_id": queue.routing.overflow_queue_id,
            "misses_before_away": queue.misses_before_away,
            "priority": queue.priority,
            "aging_seconds": queue.aging_seconds,
        }
        self._insert("queues", values)

    def add_agent(self, agent_id: str, queues: Sequence[str], second: float = 0, languages: Sequence[str] = ()) -> None:
        values = {"id": agent_id, "name": agent_id, "queues": [*queues], "languages": [*languages]}
        self._insert("agents", {**values, "status": "available", "status_since": at(second)})

    def _insert(self, table: str, values: Mapping[str, object]) -> None:
        columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
        self._rows(f"insert into {table} ({columns}) values ({places})", *values.values())  # noqa: S608 - our own names

    def _rows(self, query: str, *parameters: object) -> list[dict[str, object]]:
        with self.database.connection().cursor(row_factory=dict_row) as cursor:
            cursor.execute(query, parameters or None)  # type: ignore[arg-type]  # a test's own text
            return cursor.fetchall() if cursor.description else []

    def agent(self, agent_id: str) -> AgentRecord:
        (row,) = self._rows(f"select {', '.join(AGENT)} from agents where id = %s", agent_id)  # noqa: S608 - our own names
        return agent_from_row(row)

    def timers(self) -> Mapping[tuple[str, TimerKind], datetime]:
        rows = self._rows("select call_id, kind, due_at from timers")
        return {(row["call_id"], TimerKind(row["kind"])): row["due_at"] for row in rows}  # type: ignore[misc]

    def archived(self) -> Collection[str]:
        return {str(row["id"]) for row in self._rows("select id from calls where archive_time <> 'infinity'")}

    def outbox_size(self) -> int:
        return len(self._rows("select txid from outbox"))

    def tally(self) -> Tally:
        query = FigureQuery(at(-86_400), at(86_400), None, "UTC", (), None, at(86_400))
        (group,) = PostgresFigures(self.database).groups(query, 10)
        return group.tally
