"""A copy of the system of record, brought back to an empty database: the floor goes on, and no client is fooled."""

import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.client.replica import Replica
from infra.database import rebuild
from infra.errors import InfraError
from infra.local.postgres import Postgres
from infra.operation import backup
from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.usecases.reading.poll_changes import list_changes
from tests.support.clock import Clock
from tests.support.harness import Harness
from tests.support.principals import ALL_QUEUES

SWITCHBOARD = Path(sys.executable).with_name("switchboard")


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[str]:
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("create database empty")
        yield postgres_server.url_of("empty")
        connection.execute("drop database empty with (force)")


@pytest.fixture
def opened(clock: Clock) -> Iterator[Callable[[str], Harness]]:
    with ExitStack() as harnesses:

        def open_floor(url: str) -> Harness:
            harness = Harness(url, clock)
            harnesses.callback(harness.database.close)
            return harness

        yield open_floor


def live(harness: Harness) -> dict[str, dict[str, Any]]:
    ids = harness.rows("select id from calls where status <> 'ended' order by id")
    return {row["id"]: harness.call(row["id"]) for row in ids}


def position(harness: Harness) -> int:
    return PostgresChanges(harness.database).since(0, None, 0).position


def has_reset(harness: Harness, since: int) -> bool:
    return list_changes(PostgresChanges(harness.database), ALL_QUEUES, {"since": str(since)}).reset


def begin(harness: Harness, call_id: str) -> None:
    harness.one("call_initiated", call_id, type="voice", queueId="medical_spanish", eventId=f"{call_id}.1")
    harness.one("call_routed", call_id, agentId=f"agent-of-{call_id}", routingTime=1, eventId=f"{call_id}.2")


def test_a_floor_that_was_restored_goes_on_and_fools_no_client(
    harness: Harness,
    opened: Callable[[str], Harness],
    empty_database: str,
    database_url: str,
    clock: Clock,
    tmp_path: Path,
) -> None:
    begin(harness, "rings")
    begin(harness, "talks")
    answered = {"event": "call_answered", "callId": "talks", "waitTime": 2, "eventId": "talks.3"}
    harness.send(answered)
    then, copy = live(harness), tmp_path / "floor.dump"
    seen: list[int] = []
    assert backup.back_up(database_url, copy, seen.append) == copy.stat().st_size > 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600

    # A future that will never have been: a client has seen it.
    client = Replica()
    ended = {"event": "call_ended", "callId": "talks", "endReason": "completed", "duration": 60, "eventId": "talks.4"}
    harness.send(ended)
    harness.one("call_answered", "rings", waitTime=9)
    begin(harness, "lost")
    client.apply_snapshot(client.held_versions(), live(harness).values(), lost := position(harness))
    assert client.calls.keys() == {"rings", "lost"}

    backup.restore(empty_database, copy)
    restored = opened(empty_database)
    assert {call_id: call | {"version": 0} for call_id, call in live(restored).items()} == {
        call_id: call | {"version": 0} for call_id, call in then.items()
    }
    assert [difference for _, found in rebuild.compare(empty_database) for difference in found] == []
    assert position(restored) > lost, "positions only grow, whatever is restored"
    assert has_reset(restored, lost)
    client.apply_snapshot(client.held_versions(), live(restored).values(), here := position(restored))
    assert client.calls == live(restored)
    assert not has_reset(restored, here)

    # Senders send again what they sent since: what is on record is not doubled, the rest is recorded.
    statuses = [result.status for result in restored.send(answered, ended)]
    assert statuses == [200, 201]
    changes = list_changes(PostgresChanges(restored.database), ALL_QUEUES, {"since": str(here)})
    assert [(call.id, call.status) for call in changes.calls] == [("talks", "ended")]
    assert changes.calls[0].version > max(call["version"] for call in client.calls.values())
    clock.go_to(40)
    restored.sweep()
    assert "sla_breached" in restored.call("rings")["flags"]


def test_a_database_restored_by_other_means_resets_clients(harness: Harness, database_url: str) -> None:
    begin(harness, "rings")
    before, version = position(harness), harness.call("rings")["version"]
    done = subprocess.run(
        [SWITCHBOARD, "restore", "--database-url", database_url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert has_reset(harness, before)
    assert not has_reset(harness, position(harness))
    assert harness.call("rings")["version"] > version


def test_nothing_is_restored_over_something(database_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "floor.dump"
    backup.back_up(database_url, copy, lambda _: None)
    with pytest.raises(InfraError, match="not empty"):
        backup.restore(database_url, copy)


def test_half_a_copy_is_refused_and_leaves_nothing(database_url: str, empty_database: str, tmp_path: Path) -> None:
    copy = tmp_path / "floor.dump"
    backup.back_up(database_url, copy, lambda _: None)
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    with pytest.raises(InfraError, match="pg_restore failed"):
        backup.restore(empty_database, copy)
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


def test_a_copy_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="pg_dump failed"):
        backup.back_up("postgresql://unknown@127.0.0.1:1/nothing", tmp_path / "floor.dump", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_has_no_place_is_not_begun(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="is a folder: name a file in it"):
        backup.back_up(database_url, tmp_path, print)
    with pytest.raises(InfraError, match="There is no folder"):
        backup.back_up(database_url, tmp_path / "nowhere" / "floor.dump", print)
    assert list(tmp_path.parent.glob("*.part")) == []
