"""Connections that are kept warm between invocations and replaced when Postgres went away."""

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
# For a sweep's transactions that archive calls and update agents' time. The sweep's timers wait meanwhile, so a
# transaction is small; but one that a slow server never ends in time would be repeated for ever.
BACKGROUND = Timeouts(statement=30, lock=5, idle=15, round_trip=32, network=5)
# For maintenance commands: migrations, rebuilds, and other work on whole months. A server that has vanished is noticed
# within a minute all the same, by TCP's keepalives.
MAINTENANCE = Timeouts(statement=3600, lock=60, idle=300, round_trip=3660, network=30)

_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "switchboard",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "prepare_threshold": 1,
}
# Behind a failover a name may lead to a standby for a while, and a full disk makes a server read-only: who would write
# there waits for another connection. Postgres says with the first word what it is, so this costs no round trip.
_WRITING: dict[str, Any] = {**_OPTIONS, "target_session_attrs": "read-write"}

# Every statement's bound on the server. Said after the connection is made, in one round trip, for RDS Proxy refuses a
# connection that brings `options`; it keeps the connection for us from then on, as each of ours lasts a process anyway.
# What lies on flash, or in memory, is as near as what lies beside it: Postgres assumes a turning disk unless told, and
# would rather walk over a month of calls in order than fetch a page of them by the index of a language.
_SETTINGS = """
set timezone = 'UTC';
set statement_timeout = {statement};
set lock_timeout = {lock};
set random_page_cost = 1.1;
set idle_in_transaction_session_timeout = {idle}
"""
_READ_ONLY = "; set default_transaction_read_only = on"
# Who records finds rows by their keys, however many: a plan is made once and kept as long as the connection. To plan
# anew for each event's ids takes longer than to find them. And a plan that was made while a table was small enough to
# be read whole would still read all of it when it has grown: no plan does that.
_BY_KEY = """;
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off
"""
ALLOW_BACKGROUND = "set local statement_timeout = '30s'"  # as BACKGROUND has it, for one transaction

# What Postgres says of a prepared statement once a migration has added a column to what it selects: that session is of
# no use any more, and the next one is.
OUTGROWN = errors.FeatureNotSupported

# Every way in which Postgres can be away. One that has become read-only is there and of no use until it is not; and it
# ends the session of a function that was itself frozen in the middle of a transaction.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    OUTGROWN,
)

RV = TypeVar("RV")
NEVER = datetime.max.replace(tzinfo=UTC)


class RoundTripTimeout(psycopg.OperationalError):
    """Postgres was asked and has not answered in time: it is frozen, or what it sends is lost on the way."""


class TimeoutConnection(psycopg.Connection[TupleRow]):
    """Closed by the first round trip that takes longer than `timeouts` allows: a later answer would be taken for the
    next one's. And by the first statement that is outgrown.
    """

    timeouts: Timeouts = REQUEST

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[TupleRow] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self._cursors: dict[LiteralString, psycopg.Cursor[TupleRow]] = {}

    def cursor_of(self, query: LiteralString) -> psycopg.Cursor[TupleRow]:
        """The one that ran it the last time, whose rows are gone with the next: it knows the query's types already, and
        to find these out, for each execution anew, takes longer than to send it.
        """
        if (cursor := self._cursors.get(query)) is None:
            cursor = self._cursors[query] = self.cursor(binary=True)
        return cursor

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, timeout or self.timeouts.round_trip)
        except errors._WaitTimeout as error:  # pyright: ignore[reportPrivateUsage] - to be converted, it says
            self.close()
            with suppress(psycopg.Error):
                gen.close()
            raise RoundTripTimeout(f"Postgres has said nothing for {self.timeouts.round_trip:g} s.") from error
        except OUTGROWN:
            self.close()
            raise

    @contextmanager
    def background(self) -> Generator[None]:
        """Waits longer for answers. The transaction within must `ALLOW_BACKGROUND` on the server, too."""
        before = self.timeouts
        self.timeouts = max(before, BACKGROUND)
        try:
            yield
        finally:
            self.timeouts = before


class Database:
    """One warm connection, opened at first use.

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
    connection.adapters.register_loader("json", Json)
    connection.adapters.register_loader("json", BinaryJson)
    connection.adapters.register_loader("timestamptz", Moments)
    return connection


def _with(options: Mapping[str, Any], timeouts: Timeouts) -> dict[str, Any]:
    return {**options, "tcp_user_timeout": _milliseconds(timeouts.network)}


def _limited(settings: LiteralString, timeouts: Timeouts) -> sql.Composed:
    limits = {name: sql.Literal(_milliseconds(seconds)) for name, seconds in timeouts._asdict().items()}
    return sql.SQL(settings).format(**limits)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _is_alive(connection: psycopg.Connection[TupleRow]) -> bool:
    """Without a round trip: a server that went away has said so, and a socket at rest has nothing else to read."""
    if connection.closed or connection.broken:
        return False
    with suppress(psycopg.OperationalError):
        while select.select([connection], [], [], 0)[0]:  # a last word first, then the end
            connection.pgconn.consume_input()
            if connection.pgconn.status != psycopg.pq.ConnStatus.OK:
                return False
        return True
    return False


@contextmanager
def available(pipelined: Database | None = None) -> Generator[None]:
    """Turn every way in which Postgres can be away into `UnavailableError`.

    After a pipeline that broke off, psycopg takes statements for prepared which the server never got: a connection
    that is `pipelined` is not used again after an error.
    """
    try:
        yield
    except psycopg.Error as error:
        if pipelined:
            pipelined.close()
        if isinstance(error, AWAY):
            raise UnavailableError(str(error)) from error
        raise


async def connect_async(url: str) -> psycopg.AsyncConnection[TupleRow]:
    connection = await psycopg.AsyncConnection.connect(url, **_with(_WRITING, REQUEST))
    try:
        await connection.execute(_limited(_SETTINGS, REQUEST), prepare=False)
    except BaseException:  # who is cancelled meanwhile has no other hand to close it
        await connection.close()
        raise
    connection.adapters.register_loader("timestamptz", Moments)
    return connection


class Moments(Loader):
    """Python knows no infinity of times; in a row it is the `archive_time` of a call that is on none."""

    def load(self, data: Buffer) -> datetime:
        return NEVER if data == b"infinity" else datetime.fromisoformat(bytes(data).decode())


class Json(Loader):
    """As psycopg's own, without a step in between for each document."""

    def load(self, data: Buffer) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(data)


class BinaryJson(Json):
    format = Format.BINARY
