"""The use cases on real Postgres, without a cloud: published notices in a list, and a clock that the test sets."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import orjson
from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.postgres.sweep.agent_time import PostgresTimeBook
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.recording.notices import News
from shared.usecases.recording.outcomes import Result
from shared.usecases.recording.submit_events import IngestServices, submit
from shared.usecases.sweep.archive_calls import shelve
from shared.usecases.sweep.fire_due_timers import Sweeper, offer_waiting_calls, sweep_timers
from shared.usecases.sweep.offer_freed_agents import Dispatcher
from shared.usecases.sweep.run_sweep import run_sweep
from shared.usecases.sweep.update_agent_time import A_TURN, keep_time
from tests.support.clock import Clock

GRACE = timedelta(seconds=60)


_ids = count()  # of all floors: several may work on one database


_OTHERS = """
select pid from pg_stat_activity where backend_xid::text::bigint < %s::bigint
    and (datname is distinct from current_database() or backend_type = 'autovacuum worker')
"""


class Told:
    """An announcer that remembers."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def announce(self, news: News) -> None:
        self.news.append(news)

    def announce_all(self, several: Sequence[News]) -> None:
        self.news += several

    def events(self) -> list[tuple[str, str]]:
        return [(change.call.id, change.row.event.name) for news in self.news for change in news.changes]


class Harness:
    def __init__(self, database_url: str, clock: Clock) -> None:
        self.clock, self.told = clock, Told()
        self.database = Database(database_url)
        self.reads, self.book = PostgresReads(self.database), PostgresTimeBook(self.database)
        transactions = PostgresTransactions(self.database)
        self.sweeper = Sweeper(transactions, self.told, lambda: f"swept-{next(_ids)}", GRACE)
        dispatcher = Dispatcher(self.told, self.sweeper, clock.now)

        def made(most: int) -> Iterator[str]:
            return (f"made-{next(_ids)}" for _ in range(most))

        self.services = IngestServices(transactions, PostgresAgents(self.database), dispatcher, made, GRACE)

    def close(self) -> None:
        self.database.close()

    def send(self, *events: dict[str, Any], **options: Any) -> list[Result]:
        return submit(self.services, events, self.clock.now(), **options)

    def one(self, event: str, call_id: str = "call-1", **fields: Any) -> Result:
        return self.send({"event": event, "callId": call_id, **fields})[0]

    def sweep(self) -> int:
        settled = 0
        while found := sweep_timers(self.sweeper, self.clock.now()):
            settled += found
        return settled

    def shelve(self) -> int:
        return shelve(self.services.transactions, self.clock.now())

    def keep_time(self, limit: int = A_TURN) -> int:
        followed = 0
        (here,) = self.rows("select pg_snapshot_xmax(pg_current_snapshot())::text as newest")
        while self.rows(_OTHERS, here["newest"]):  # tests beside this one: no time goes past what they are writing
            pass
        while found := keep_time(self.book, limit):
            followed += found
        return followed

    def offer_waiting(self) -> int:
        return offer_waiting_calls(self.sweeper, self.clock.now())

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


def sweep_for(floor: Harness, seconds: float, woken: list[str]) -> None:
    upkeep = PostgresHousekeeping(floor.database, floor.told, "this-one", lambda: woken.append("sweep"))
    until = floor.clock.now() + timedelta(seconds=seconds)
    run_sweep(floor.sweeper, upkeep, until, floor.clock.now, floor.clock.sleep)
