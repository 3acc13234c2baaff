"""A migration adds columns while functions run. Their prepared statements are made again."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
import redis

from infra.local.redis import Redis
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.feed.subscriptions import PostgresRegistry
from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.contracts.setup import QueueSetup
from shared.usecases.errors import ConflictError, UnavailableError
from shared.usecases.recording.ports import OutboxEntry
from tests.support.harness import Harness
from tests.support.stage import Stage

TABLES = ("calls", "events", "agents", "outbox", "queues", "connections")
ASKED: dict[str, Callable[[Database], Any]] = {
    "queues": lambda database: PostgresReads(database).queues(),
    "a call": lambda database: PostgresReads(database).call("call-1"),
    "a history": lambda database: PostgresReads(database).events("call-1", None, 10),
    "changes": lambda database: PostgresChanges(database).since(0, None, 10),
    "a connection": lambda database: PostgresRegistry(database).find("connection-1"),
    "a set-up": lambda database: PostgresAgents(database).put_queue("queue-1", QueueSetup(name="Q")),
}


def expand(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"alter table {table} add column new text")  # type: ignore[arg-type]  # of these tables


@pytest.mark.parametrize("asked", ASKED)
def test_a_reader_succeeds_at_the_latest_on_the_second_attempt(harness: Harness, database_url: str, asked: str) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    with closing(Database(database_url)) as database:
        for _ in range(3):
            ASKED[asked](database)
        expand(database_url)
        with pytest.raises(UnavailableError):
            ASKED[asked](database)
        ASKED[asked](database)


def test_a_writer_retries_at_once(harness: Harness, database_url: str) -> None:
    transactions = PostgresTransactions(harness.database)

    def read_a_log() -> None:
        with transactions.begin() as unit_of_work:
            unit_of_work.logs(["call-1"])
            unit_of_work.commit(OutboxEntry(), harness.clock.now(), lambda: None)

    for _ in range(3):
        read_a_log()
    expand(database_url)
    with pytest.raises(ConflictError):
        read_a_log()
    read_a_log()


@pytest.mark.anyio
async def test_a_relay_tells_on(stage: Stage, redis_server: Redis, database_url: str) -> None:
    """It reads the outbox each time that it comes to the channel."""
    stage.listen("c", "queue:spanish")
    async with stage.relay() as running:
        await running.ready()
        for _ in range(3):
            await running.relay_store.pending((0, 0), 1)
        expand(database_url)
        with redis.Redis.from_url(redis_server.url) as client:
            client.client_kill_filter(_type="pubsub")
        await running.relay_store.until_cleared(await stage.begin("c1"))
    assert list(stage.gateway.calls("c")) == ["c1"]
