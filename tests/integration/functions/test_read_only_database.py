"""A Postgres that takes connections and no writing: a standby behind a failover, or a server whose disk is full."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from functions.broadcast import app as broadcast
from functions.ingest.app import from_queue
from shared import wiring
from shared.adapters.auth import tokens
from shared.usecases.errors import UnavailableError
from tests.support.calls import INITIATED
from tests.support.harness import Harness
from tests.support.rest import KEY, Api, assert_unavailable, nothing_recorded
from tests.support.stage import WAIT_SECONDS, Stage

NAMED = INITIATED | {"eventId": "event-1"}
ASKED: dict[str, Callable[[Api], Any]] = {
    "an event": lambda sender: sender.post(NAMED),
    "a batch": lambda sender: sender.post([NAMED, INITIATED | {"callId": "call-2"}]),
    "an agent's word": lambda sender: sender.post(
        {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away"}
    ),
    "a queue": lambda sender: sender.call("PUT", "/api/queues/{queue_id}", {"name": "Q"}, queue_id="queue"),
    "an agent": lambda sender: sender.call("PUT", "/api/agents/{agent_id}", {"name": "A"}, agent_id="agent"),
}


@contextmanager
def read_only(database_url: str, *warm: psycopg.Connection[Any]) -> Iterator[None]:
    """For new connections and for open ones."""
    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute(f"alter database {name} set default_transaction_read_only = on")  # type: ignore[arg-type]  # our name
        for one in warm:
            one.execute("set default_transaction_read_only = on")
        yield
        connection.execute(f"alter database {name} reset default_transaction_read_only")  # type: ignore[arg-type]  # our name
        for one in warm:
            if not one.closed:
                one.execute("set default_transaction_read_only = off")


@pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("asked", ASKED)
def test_a_read_only_database_refuses_writes_and_serves_reads(
    api: Api,
    database_url: str,
    asked: str,
    is_warm: bool,
) -> None:
    with read_only(database_url, *([wiring.database().connection()] if is_warm else [])):
        for _ in range(2):
            assert_unavailable(ASKED[asked](api))
        assert api.call("GET", "/api/calls")[0] == 200
    assert nothing_recorded()
    assert ASKED[asked](api)[0] in (200, 201)


def test_a_connection_to_a_standby_is_not_kept(api: Api, database_url: str) -> None:
    """What is asked of it alone would go well: no session stays behind for what is not."""
    with read_only(database_url):
        assert api.call("GET", "/api/health/deep")[0] == 503
    assert ASKED["a queue"](api)[0] == 200


@pytest.mark.usefixtures("api")
def test_read_only_returns_messages_and_refuses_sockets(database_url: str) -> None:
    connected = {
        "requestContext": {"connectionId": "c"},
        "queryStringParameters": {"token": tokens.mint(KEY, role="admin")},
    }
    delivered = {"Records": [{"messageId": "m", "body": json.dumps(INITIATED)}]}
    with read_only(database_url, wiring.database().connection()):
        assert from_queue(delivered, None) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
        assert broadcast.connect(connected, None) == {"statusCode": 503}
        assert broadcast.disconnect(connected, None) == {"statusCode": 200}
    assert from_queue(delivered, None) == {"batchItemFailures": []}
    assert broadcast.connect(connected, None) == {"statusCode": 200}


def test_a_sweep_waits_it_out(harness: Harness, database_url: str) -> None:
    """No call is blamed for it and put off."""
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.clock.go_to(31)
    with read_only(database_url, harness.database.connection()), pytest.raises(UnavailableError):
        harness.sweep()
    assert harness.sweep() == 1
    assert harness.call()["flags"] == ["sla_breached"]


@pytest.mark.anyio
async def test_a_relay_waits_it_out(stage: Stage, database_url: str) -> None:
    stage.listen("c", "queue:spanish")
    event = await stage.begin("c1")
    async with stage.relay() as running:
        refused, acquire = asyncio.Event(), running.relay_store.acquire

        async def acquire_in_vain(seconds: float, after: int | None) -> int | None:
            try:
                return await acquire(seconds, after)
            except UnavailableError:
                refused.set()
                raise

        running.relay_store.acquire = acquire_in_vain  # type: ignore[method-assign]
        with read_only(database_url):
            async with asyncio.timeout(WAIT_SECONDS):
                await refused.wait()
        await running.relay_store.until_cleared(event)
    assert stage.gateway.events("c") == [event]
