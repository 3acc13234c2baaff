"""Connections that stay open between invocations, and are replaced after an outage."""

from __future__ import annotations

import select
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple, TypeVar

import orjson
import psycopg
from psycopg import errors, sql
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.pq.abc import PGconn
from psycopg.rows import RowFactory, TupleRow, tuple_row
from psycopg.types.json import set_json_loads

from shared.usecases.errors import UnavailableError


class Timeouts(NamedTuple):
    """How long a connection waits, in seconds.

    statement: for a statement. Postgres cancels it.
    lock: for one lock, within a statement. Postgres cancels the statement.
    idle: for the next statement of an open transaction. Postgres ends the session.
    round_trip: for an answer. The client closes the connection. Postgres cannot cancel anything while it is frozen, so
        this must be longer than `statement`.
    network: for the other machine to acknowledge data. The kernel closes the connection.
    """

    statement: float
    lock: float
    idle: float
    round_trip: float
    network: float


# For requests. A function that is ended after 15 s can still try a new connection and answer.
REQUEST = Timeouts(statement=7, lock=5, idle=15, round_trip=8, network=5)
# For a sweep's transactions that archive calls and update agents' time. The sweep's timers wait for them, so a
# transaction is small. The limit allows for a slow server, on which a transaction would otherwise fail repeatedly.
BACKGROUND = Timeouts(statement=30, lock=5, idle=15, round_trip=32, network=5)
# For maintenance commands: migrations, rebuilds, and other work on whole months. TCP keepalives detect a
# vanished server within a minute.
MAINTENANCE = Timeouts(statement=3600, lock=60, idle=300, round_trip=3660, network=30)

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "switchboard",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "prepare_threshold": 1,
}
# After a failover the host name may lead to a standby for a while, and a full disk makes a server read-only. A
# connection that writes must not use such a server. Postgres reports its state at the start: no extra round trip.
_WRITING: dict[str, Any] = {**_OPTIONS, "target_session_attrs": "read-write"}

# Settings of the session. They are sent after connecting, in one round trip, because RDS Proxy refuses connections with
# `options`. RDS Proxy then pins the connection to this client, which keeps it for the life of the process anyway.
# random_page_cost is for flash and memory: with the default for rotating disks, Postgres reads a month of calls in
# order instead of a page of them by the index of a language.
_SETTINGS = """
set timezone = 'UTC';
set statement_timeout = {statement};
set lock_timeout = {lock};
set random_page_cost = 1.1;
set idle_in_transaction_session_timeout = {idle}
"""
_READ_ONLY = "; set default_transaction_read_only = on"
# Recording finds rows by their keys. A generic plan is made once per connection, because planning for each event takes
# longer than finding its rows. Sequential scans are off, because a plan that was made while a table was small would
# still scan it after it has grown.
_BY_KEY = """;
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off
"""
ALLOW_BACKGROUND = "set local statement_timeout = '30s'"  # the statement limit of BACKGROUND, for one transaction

# Raised for a prepared statement after a migration added a column that it selects. A new session works.
OUTDATED_PLAN = errors.FeatureNotSupported

# Errors that mean Postgres is unavailable. They include a server that became read-only, and a session that Postgres
# ended because the function was frozen in the middle of a transaction.
OUTAGE_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    OUTDATED_PLAN,
)

RV = TypeVar("RV")
INFINITY = datetime.max.replace(tzinfo=UTC)


class RoundTripTimeout(psycopg.OperationalError):
    """Postgres did not answer in time: it is frozen, or its answer was lost."""


class TimeoutConnection(psycopg.Connection[TupleRow]):
    """A connection that closes itself in two cases.

    - A round trip takes longer than `timeouts` allows: a late answer would be read as that of the next statement.
    - A migration made a prepared statement invalid.
    """

    timeouts: Timeouts = REQUEST

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[TupleRow] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self._cursors: dict[LiteralString, psycopg.Cursor[TupleRow]] = {}

    def cursor_of(self, query: LiteralString) -> psycopg.Cursor[TupleRow]:
        """The cursor that ran this query last. Its previous rows are lost.

        Optimisation: a new cursor determines the types of the query's columns again, and the statement then takes twice
        the processor time. `bench/optimisations.py` measures both.
        """
        if (cursor := self._cursors.get(query)) is None:
            cursor = self._cursors[query] = self.cursor(binary=True)
        return cursor

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, timeout or self.timeouts.round_trip)
        except errors._WaitTimeout as error:  # pyright: ignore[reportPrivateUsage] - psycopg expects callers to convert it
            self.close()
            with suppress(psycopg.Error):
                gen.close()
            raise RoundTripTimeout(f"Postgres did not answer for {self.timeouts.round_trip:g} s.") from error
        except OUTDATED_PLAN:
            self.close()
            raise

    @contextmanager
    def background(self) -> Generator[None]:
        """Wait longer for answers. The transaction inside must also execute `ALLOW_BACKGROUND`."""
        before = self.timeouts
        self.timeouts = max(before, BACKGROUND)
        try:
            yield
        finally:
            self.timeouts = before


class Database:
    """One connection, opened at first use and kept.

    `plans_by_key` is false for work that reads most of a table: the planner then has all its choices.
    """

    def __init__(
        self, url: str, *, read_only: bool = False, timeouts: Timeouts = REQUEST, plans_by_key: bool = True
    ) -> None:
        self._url, self._timeouts = url, timeouts
        self._settings: LiteralString = _SETTINGS + (_READ_ONLY if read_only else _BY_KEY if plans_by_key else "")
        self._options = _OPTIONS if read_only else _WRITING
        self._connection: TimeoutConnection | None = None

    def connection(self) -> TimeoutConnection:
        """Raises `UnavailableError` when Postgres cannot be reached."""
        if self._connection is None or not _is_alive(self._connection):
            with available():
                self._connection = open_connection(self._url, self._timeouts, self._settings, self._options)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def open_connection(
    url: str, timeouts: Timeouts, settings: LiteralString = _SETTINGS, options: Mapping[str, Any] = _OPTIONS
) -> TimeoutConnection:
    """In autocommit mode. Raises `psycopg.Error`."""
    connection = TimeoutConnection.connect(url, **_with(options, timeouts))
    connection.timeouts = timeouts
    try:
        connection.execute(_limited(settings, timeouts), prepare=False)
    except psycopg.Error:
        connection.close()
        raise
    set_json_loads(orjson.loads, connection)
    connection.adapters.register_loader("json", JsonLoader)
    connection.adapters.register_loader("json", BinaryJsonLoader)
    connection.adapters.register_loader("timestamptz", TimestampLoader)
    return connection


def _with(options: Mapping[str, Any], timeouts: Timeouts) -> dict[str, Any]:
    return {**options, "tcp_user_timeout": _milliseconds(timeouts.network)}


def _limited(settings: LiteralString, timeouts: Timeouts) -> sql.Composed:
    limits = {name: sql.Literal(_milliseconds(seconds)) for name, seconds in timeouts._asdict().items()}
    return sql.SQL(settings).format(**limits)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _is_alive(connection: psycopg.Connection[TupleRow]) -> bool:
    """Checked without a round trip: an idle socket only has something to read if the server closed the connection."""
    if connection.closed or connection.broken:
        return False
    with suppress(psycopg.OperationalError):
        while select.select([connection], [], [], 0)[0]:  # a message first, then the end
            connection.pgconn.consume_input()
            if connection.pgconn.status != psycopg.pq.ConnStatus.OK:
                return False
        return True
    return False


@contextmanager
def available(pipelined: Database | None = None) -> Generator[None]:
    """Convert errors that mean an outage into `UnavailableError`.

    `pipelined` is closed after an error: after a broken pipeline, psycopg considers statements prepared that the server
    never received.
    """
    try:
        yield
    except psycopg.Error as error:
        if pipelined:
            pipelined.close()
        if isinstance(error, OUTAGE_ERRORS):
            raise UnavailableError(str(error)) from error
        raise


async def connect_async(url: str) -> psycopg.AsyncConnection[TupleRow]:
    connection = await psycopg.AsyncConnection.connect(url, **_with(_WRITING, REQUEST))
    try:
        await connection.execute(_limited(_SETTINGS, REQUEST), prepare=False)
    except BaseException:  # close it even if the task is cancelled
        await connection.close()
        raise
    connection.adapters.register_loader("timestamptz", TimestampLoader)
    return connection


class TimestampLoader(Loader):
    """Reads times. Python has no infinite time; `archive_time` is infinite for calls that are not archived."""

    def load(self, data: Buffer) -> datetime:
        return INFINITY if data == b"infinity" else datetime.fromisoformat(bytes(data).decode())


class JsonLoader(Loader):
    """Reads JSON like psycopg's own loader, with fewer steps for each document."""

    def load(self, data: Buffer) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(data)


class BinaryJsonLoader(JsonLoader):
    format = Format.BINARY
