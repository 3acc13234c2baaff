"""A frozen server accepts bytes and does not answer. Requests are answered all the same."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from infra.local.postgres import Postgres
from infra.local.redis import Redis
from shared import wiring
from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import PostgresUnitOfWork
from tests.support.calls import INITIATED
from tests.support.rest import Api, assert_unavailable, nothing_recorded

ANSWERED_WITHIN_SECONDS = 80  # ten times the limit of a request: `REQUEST` in shared/adapters/postgres/connection.py
WARM_AND_COLD = pytest.mark.parametrize(
    "is_warm", [pytest.param(True, id="warm"), pytest.param(False, id="cold", marks=pytest.mark.deep)]
)
NAMED = INITIATED | {"eventId": "event-1"}


def everyone(server: Postgres | Redis) -> list[int]:
    assert server.process
    return [server.process.pid, *(child.pid for child in psutil.Process(server.process.pid).children(recursive=True))]


@contextmanager
def frozen(server: Postgres | Redis) -> Iterator[Callable[[], None]]:
    """Frozen once what it gives is called; thawed at the end."""
    stopped: list[int] = []

    def freeze() -> None:
        for pid in everyone(server):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    try:
        yield freeze
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def shorten_limit(database: Database) -> None:
    """Let the open connection wait one second for an answer instead of eight. The next connection waits as usual."""
    connection = database.connection()
    connection.timeouts = connection.timeouts._replace(round_trip=1)


def in_time(ask: Callable[[], tuple[int, Any, dict[str, str]]]) -> tuple[int, Any, dict[str, str]]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(ANSWERED_WITHIN_SECONDS)


@WARM_AND_COLD
def test_a_frozen_postgres_answers_503_and_records_nothing(
    api: Api,
    postgres_server: Postgres,
    is_warm: bool,
) -> None:
    if is_warm:
        shorten_limit(wiring.database())
    with frozen(postgres_server) as freeze:
        freeze()
        assert_unavailable(in_time(lambda: api.post(NAMED)))
    assert nothing_recorded()
    assert api.post(NAMED)[0] == 201


def test_a_freeze_at_the_commit_records_everything_or_nothing(
    api: Api,
    postgres_server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was sent lies in the server's buffer: thawed, it takes it as one piece, and the sender's next try is a
    replay of it.
    """
    two, write = [NAMED, INITIATED | {"callId": "call-2", "eventId": "event-2"}], PostgresUnitOfWork.write
    with frozen(postgres_server) as freeze, monkeypatch.context() as patched:

        def freeze_first(self: PostgresUnitOfWork, *arguments: Any, **more: Any) -> Any:
            shorten_limit(wiring.database())
            freeze()
            return write(self, *arguments, **more)

        patched.setattr(PostgresUnitOfWork, "write", freeze_first)
        assert_unavailable(in_time(lambda: api.post(two)))
    status, body, _ = api.post(two)
    assert status == 200
    assert [item["status"] for item in body["results"]] in ([200, 200], [201, 201])
    count = "select (select count(*) from events), (select count(*) from calls)"
    assert wiring.database().connection().execute(count).fetchone() == (2, 2)


@WARM_AND_COLD
def test_a_reader_gets_503_until_postgres_continues(
    api: Api,
    postgres_server: Postgres,
    is_warm: bool,
) -> None:
    api.post(NAMED)
    if is_warm:
        assert api.call("GET", "/api/calls")[0] == 200
        shorten_limit(wiring.reading_database())
    with frozen(postgres_server) as freeze:
        freeze()
        assert_unavailable(in_time(lambda: api.call("GET", "/api/calls")))
    assert [call["id"] for call in api.call("GET", "/api/calls")[1]["data"]] == ["call-1"]


def test_no_sender_waits_for_a_frozen_redis(api: Api, redis_server: Redis) -> None:
    assert api.post(NAMED)[0] == 201
    with frozen(redis_server) as freeze:
        freeze()
        assert in_time(lambda: api.post(INITIATED | {"callId": "call-2"}))[0] == 201
    assert api.post(INITIATED | {"callId": "call-3"})[0] == 201


def test_a_freeze_within_a_transaction_answers_503(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Postgres ends a session that holds the agent's row for too long."""
    away = {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away", "eventId": "away"}
    connection, read = wiring.database().connection(), row_mapping.agent_from_row
    connection.execute("set idle_in_transaction_session_timeout = '1ms'")

    def read_late(row: Any) -> Any:
        assert select.select([connection], [], [], ANSWERED_WITHIN_SECONDS)[0], "its last word"
        return read(row)

    with monkeypatch.context() as patched:
        patched.setattr(row_mapping, "agent_from_row", read_late)
        assert_unavailable(api.post(away))
    assert api.post(away)[0] == 201
