"""The use cases on real Postgres, without a cloud: published notices in a list, and a clock that the test sets."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.postgres.sweep.agent_time import PostgresAgentTimeStore
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.contracts.setup import AgentSetup
from shared.usecases.recording.change_agent_status import set_up_agent
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result
from shared.usecases.recording.submit_events import IngestServices, submit
from shared.usecases.sweep.after_commit import offer_waiting_calls, publish
from shared.usecases.sweep.archive_calls import archive_calls
from shared.usecases.sweep.fire_due_timers import fire_due_timers
from shared.usecases.sweep.record_offers import record_offers
from shared.usecases.sweep.run_sweep import run_sweep
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.update_agent_time import EVENTS_PER_BATCH, update_agent_time
from tests.support.clock import Clock

GRACE = timedelta(seconds=60)


_ids = count()  # of all floors: several may work on one database


_OTHERS = """
select pid from pg_stat_activity where backend_xid::text::bigint < %s::bigint
    and (datname is distinct from current_database() or backend_type = 'autovacuum worker')
"""


class PublishedNotices:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.news: list[TransactionNotices] = []

    def publish(self, notices: Sequence[TransactionNotices]) -> None:
        self.news += notices

    def shards_without_relay(self) -> set[int]:
        return set()

    def events(self) -> list[tuple[str, str]]:
        return [(change.call.id, change.row.event.name) for news in self.news for change in news.calls]


class Harness:
    def __init__(self, database_url: str, clock: Clock) -> None:
        self.clock, self.published = clock, PublishedNotices()
        self.database = Database(database_url)
        self.reads, self.agent_time_store = PostgresReads(self.database), PostgresAgentTimeStore(self.database)
        transactions = PostgresTransactions(self.database)
        self.sweep_services = SweepServices(transactions, self.published, lambda: f"swept-{next(_ids)}", GRACE)

        def made(most: int) -> Iterator[str]:
            return (f"made-{next(_ids)}" for _ in range(most))

        self.services = IngestServices(transactions, PostgresAgents(self.database), made, GRACE)

    def close(self) -> None:
        self.database.close()

    def send(self, *events: dict[str, Any], **options: Any) -> list[Result]:
        submitted = submit(self.services, events, self.clock.now(), **options)
        self.after_commit(submitted.notices)
        return submitted.results

    def after_commit(self, notices: Sequence[TransactionNotices]) -> None:
        publish(self.sweep_services, notices)
        offer_waiting_calls(self.sweep_services, notices, self.clock.now())

    def set_up_agent(self, agent_id: str, setup: AgentSetup) -> None:
        _, news = set_up_agent(self.services.agents, agent_id, setup, self.clock.now())
        self.after_commit([news])

    def one(self, event: str, call_id: str = "call-1", **fields: Any) -> Result:
        return self.send({"event": event, "callId": call_id, **fields})[0]

    def sweep(self) -> int:
        settled = 0
        while found := self.fire_due_timers():
            settled += found
        return settled

    def fire_due_timers(self, now: datetime | None = None, limit: int = 200) -> int:
        fired = fire_due_timers(self.sweep_services, now or self.clock.now(), limit)
        publish(self.sweep_services, fired.notices)
        return fired.count

    def archive_calls(self) -> int:
        return archive_calls(self.services.transactions, self.clock.now())

    def update_agent_time(self, limit: int = EVENTS_PER_BATCH) -> int:
        followed = 0
        (here,) = self.rows("select pg_snapshot_xmax(pg_current_snapshot())::text as newest")
        while self.rows(_OTHERS, here["newest"]):  # tests beside this one: no time goes past what they are writing
            pass
        while found := update_agent_time(self.agent_time_store, limit):
            followed += found
        return followed

    def offer_waiting(self, now: datetime | None = None, limit: int = 10) -> int:
        offered = record_offers(self.sweep_services, now or self.clock.now(), limit=limit)
        publish(self.sweep_services, offered.notices)
        return offered.count

    def call(self, call_id: str = "call-1") -> dict[str, Any]:
        view = self.reads.call(call_id)
        assert view is not None, f"{call_id} is on record"
        return view.model_dump(mode="json")

    def history(self, call_id: str = "call-1") -> list[tuple[str, bool]]:
        return [(event.type, event.void) for event in self.reads.events(call_id, None, 500)]

    def assert_no_orphans(self) -> None:
        """No event and no timer without its call: no foreign key looks after that, for it would cost too much."""
        assert self.rows("select * from events e where not exists (select from calls c where c.id = e.call_id)") == []
        assert self.rows("select * from timers t where not exists (select from calls c where c.id = t.call_id)") == []

    def agent(self, agent_id: str) -> tuple[str, str | None]:
        agent = next(agent for agent in self.reads.agents() if agent.id == agent_id)
        return agent.status, agent.call_id

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.database.connection().cursor(row_factory=dict_row) as cursor:
            cursor.execute(query, parameters or None)  # type: ignore[arg-type]  # a test's own text
            return cursor.fetchall() if cursor.description else []


def answer_of(result: Result) -> dict[str, Any]:
    """An answer as its sender reads it."""
    return orjson.loads(orjson.dumps(result.body))


def sweep_for(harness: Harness, seconds: float, woken: list[str]) -> None:
    upkeep = PostgresHousekeeping(harness.database, "this-one", lambda: woken.append("sweep"))
    until = harness.clock.now() + timedelta(seconds=seconds)
    run_sweep(harness.sweep_services, upkeep, until, harness.clock.now, harness.clock.sleep)
