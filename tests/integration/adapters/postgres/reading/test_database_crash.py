"""A Postgres that crashes forgets ids of transactions that were not on its disk yet: they come again."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from infra.database import migrate
from infra.local.postgres import Postgres
from infra.machine.ports import claim
from shared.adapters.postgres.feed.subscriptions import PostgresRegistry
from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.usecases.access import Principal
from tests.support.clock import Clock
from tests.support.harness import Harness
from tests.support.paths import REPOSITORY

# Nothing reaches the disk but what a commit brings there.
LAZY = {"fsync": "off", "wal_writer_delay": "10s", "wal_level": "minimal", "max_wal_senders": "0"}
QUEUE, EVERYTHING = "medical_spanish", Principal("supervisor", frozenset({"*"}), 0)
FORGOTTEN = 20


@pytest.fixture
def lazy_server(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "data", claim(), "test", tmp_path / "postgres.log", LAZY)
    server.start()
    migrate.migrate(server.url)
    migrate.load(server.url, REPOSITORY / "infra" / "database" / "sample.sql")
    yield server
    server.stop()


def test_clients_get_entries_recorded_after_a_database_crash(lazy_server: Postgres, clock: Clock) -> None:
    harness = Harness(lazy_server.url, clock)
    with closing(harness.database) as database:
        registry, changes = PostgresRegistry(database), PostgresChanges(database)
        begin = {"event": "call_initiated", "type": "voice", "queueId": QUEUE}
        harness.send(begin | {"callId": "before"})
        harness.rows("delete from outbox")  # everything was sent
        for _ in range(FORGOTTEN):
            with psycopg.connect(lazy_server.url) as connection:
                connection.execute("select pg_current_xact_id()")
                connection.rollback()
        resumed, polled = registry.position(), changes.since(0, None, 500).position
        assert lazy_server.process
        lazy_server.process.send_signal(signal.SIGQUIT)
        lazy_server.process.wait()
        lazy_server.start()
        after = {f"after-{number}" for number in range(2 * FORGOTTEN)}
        for call_id in sorted(after):
            harness.send(begin | {"callId": call_id})
        missed = registry.missed_changes([f"queue:{QUEUE}"], EVERYTHING, resumed, 500)
        assert missed
        assert {call.id for call in missed.calls} == after
        found = changes.since(polled, None, 500)
        assert found.is_complete
        assert {call.id for call in found.calls} == after
