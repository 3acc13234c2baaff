"""Time limits: requests have short ones, sweeps longer ones, and maintenance commands their own."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from infra.database import agent_time, connections, migrate, rebuild
from infra.errors import InfraError
from shared.adapters.postgres import connection as adapter
from shared.adapters.postgres.connection import BACKGROUND, MAINTENANCE, REQUEST, Database, Timeouts
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.postgres.sweep.agent_time import PostgresAgentTimeStore
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.errors import UnavailableError
from shared.usecases.sweep.archive_calls import archive_calls
from shared.usecases.sweep.update_agent_time import update_agent_time
from tests.support.clock import Clock
from tests.support.harness import Harness

# A request's limits, and a statement that takes longer than they allow.
SHORT = Timeouts(statement=0.5, lock=0.5, idle=15, round_trip=0.8, network=5)
SLOW = "select pg_sleep(1)"
LIMIT_OF_A_STATEMENT = "select setting::int / 1000.0 from pg_settings where name = 'statement_timeout'"
# The book of agents' time is taken by a statement that calls this function.
SLOW_HORIZON = """
alter function horizon_position() rename to fast_horizon_position;
create function horizon_position() returns bigint language sql volatile as
    'select fast_horizon_position() from pg_sleep(1)'
"""
# Archiving deletes calls from this table.
SLOW_ARCHIVE = """
create function be_slow() returns trigger language plpgsql as
    'begin perform pg_sleep(1); return null; end';
create trigger slow after delete on calls_live for each statement execute function be_slow()
"""
# Every clean-up deletes expired connections from this one.
SLOW_TIDYING = SLOW_ARCHIVE.replace("calls_live", "connections")


@pytest.fixture
def hurried(database_url: str) -> Iterator[Database]:
    """A database with a request's limits, much shortened."""
    with closing(Database(database_url, timeouts=SHORT)) as database:
        yield database


def slow_down(database_url: str, script: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(script)  # type: ignore[arg-type]  # a test's own text


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        pytest.param(SHORT, psycopg.errors.QueryCanceled, id="Postgres cancels it"),
        pytest.param(SHORT._replace(statement=60), adapter.RoundTripTimeout, id="the client gives up"),
    ],
)
def test_a_request_may_not_take_longer(database_url: str, limits: Timeouts, error: type[Exception]) -> None:
    with closing(Database(database_url, timeouts=limits)) as database, pytest.raises(error):
        database.connection().execute(SLOW)


def test_maintenance_may_take_longer(database_url: str) -> None:
    with connections.connect(database_url) as connection:
        connection.execute(SLOW)


def test_a_rebuild_of_agents_time_may_take_longer(database_url: str, hurried: Database, harness: Harness) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.one("call_routed", agentId="interpreter-01", routingTime=1)
    harness.update_agent_time()
    slow_down(database_url, SLOW_HORIZON)
    with closing(connections.database(database_url)) as database:
        (month,) = agent_time.months(database)
        agent_time.rebuild(database, month)
        assert agent_time.differing(database, month) == 0
    with pytest.raises(UnavailableError):
        agent_time.rebuild(hurried, month)


def test_a_migration_may_take_longer(database_url: str, tmp_path: Path) -> None:
    for script in migrate.FOLDER.glob("*.sql"):
        (tmp_path / script.name).write_bytes(script.read_bytes())
    (tmp_path / "1001_slow.sql").write_text(f"{SLOW};\nalter table queues add column note text;\n")
    assert migrate.migrate(database_url, tmp_path) == ["1001_slow.sql"]


def test_a_sweep_may_take_longer_to_archive(
    database_url: str, hurried: Database, harness: Harness, clock: Clock
) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.one("call_ended", endReason="abandoned", duration=0)
    slow_down(database_url, SLOW_ARCHIVE)
    clock.go_to(7200)
    assert archive_calls(PostgresTransactions(hurried), clock.now()) == 1
    assert_is_hurried_again(hurried)


def test_a_sweep_may_take_longer_for_agents_time(database_url: str, hurried: Database, harness: Harness) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    slow_down(database_url, SLOW_HORIZON)
    assert update_agent_time(PostgresAgentTimeStore(hurried)) == 1
    assert_is_hurried_again(hurried)


def test_a_sweep_may_take_longer_to_clean_up(database_url: str, hurried: Database, clock: Clock) -> None:
    slow_down(database_url, SLOW_TIDYING)
    PostgresHousekeeping(hurried, "sweep", wake=lambda: None, keep_months=1).tidy(clock.now())
    assert_is_hurried_again(hurried)


def assert_is_hurried_again(database: Database) -> None:
    """Neither the server nor the client keeps the longer limit for the next statement."""
    assert database.connection().timeouts == SHORT
    with pytest.raises(psycopg.errors.QueryCanceled):
        database.connection().execute(SLOW)


def test_limits_of_server_and_client_fit_together(database_url: str) -> None:
    """The server's limit comes first: it says what was slow, and the connection stays open."""
    for timeouts in (REQUEST, BACKGROUND, MAINTENANCE):
        assert timeouts.lock < timeouts.statement < timeouts.round_trip
    with closing(Database(database_url)) as database, database.connection().transaction():
        database.connection().execute(adapter.ALLOW_BACKGROUND)
        assert database.connection().execute(LIMIT_OF_A_STATEMENT).fetchone() == (BACKGROUND.statement,)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux bounds a silent peer")
def test_maintenance_notices_a_server_that_vanished(database_url: str) -> None:
    """Within a minute, although it waits an hour for an answer."""
    with connections.connect(database_url) as connection, socket.socket(fileno=os.dup(connection.fileno())) as line:
        options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT
        idle, interval, network = (line.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    assert network == MAINTENANCE.network * 1000
    assert idle + max(interval, MAINTENANCE.network) <= 60


@pytest.mark.parametrize("value", ["", "90"])
def test_the_environment_sets_the_limit_of_maintenance(
    database_url: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(connections.LIMIT, value)
    with connections.connect(database_url) as connection:
        assert connection.execute(LIMIT_OF_A_STATEMENT).fetchone() == (int(value or MAINTENANCE.statement),)
        assert connection.timeouts.round_trip > connection.timeouts.statement


@pytest.mark.parametrize("value", ["0", "-5", "an hour"])
def test_a_wrong_limit_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(connections.LIMIT, value)
    with pytest.raises(InfraError, match=connections.LIMIT):
        rebuild.count("postgresql://127.0.0.1:1/")
