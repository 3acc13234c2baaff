"""The settings of every connection of a function, also through a proxy."""

import asyncio
import gc
import os
import socket
import warnings
from contextlib import closing

import psycopg
import pytest

from shared.adapters.postgres.connection import Database, connect_async
from shared.adapters.postgres.feed.relay_store import PostgresRelayStore

BOUNDS = {
    "TimeZone": "UTC",
    "statement_timeout": "7s",
    "lock_timeout": "5s",
    "random_page_cost": "1.1",
    "idle_in_transaction_session_timeout": "15s",
}
SHOW = "select name, current_setting(name) from unnest(%s::text[]) name"


@pytest.mark.parametrize("read_only", [False, True])
def test_each_statement_has_its_bounds(database_url, read_only):
    with closing(Database(database_url, read_only=read_only)) as database:
        assert dict(database.connection().execute(SHOW, [list(BOUNDS)]).fetchall()) == BOUNDS


def test_those_of_the_relay_have_them_too(database_url):
    async def bounds() -> dict[str, str]:
        async with await connect_async(database_url) as connection:
            return dict(await (await connection.execute(SHOW, [list(BOUNDS)])).fetchall())

    assert asyncio.run(bounds()) == BOUNDS


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux, as Lambda is, bounds a silent peer")
def test_a_server_that_vanishes_is_not_waited_for(database_url):
    database = Database(database_url)
    with socket.socket(fileno=os.dup(database.connection().fileno())) as line:
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5_000
    database.close()


def test_a_connection_for_reading_cannot_write(database_url):
    database = Database(database_url, read_only=True)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.connection().execute("insert into queues (id, name) values ('a', 'a')")
    database.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_nothing_is_asked_at_the_start_that_rds_proxy_refuses(database_url, read_only):
    """It knows no `options` in the startup message: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html"""
    database = Database(database_url, read_only=read_only)
    assert "options" not in database.connection().info.get_parameters()
    database.close()


def test_a_relay_stopped_while_connecting_leaves_no_session(database_url):
    """Cancelled after one turn of the loop, after two, and so on until it is through."""

    async def stopped_after(turns: int) -> bool:
        connecting = asyncio.create_task(connect_async(database_url))
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
        try:
            await (await connecting).close()
        except asyncio.CancelledError:
            return True
        return False

    async def body() -> int:
        turns = 0
        while await stopped_after(turns):
            turns += 1
        return turns

    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        assert asyncio.run(body()) > 3
        gc.collect()
    assert [str(warning.message) for warning in left] == []


def test_concurrent_users_share_one_connection(database_url):
    """After an outage all that a relay does at once finds the line broken."""

    async def sessions() -> int:
        harness = PostgresRelayStore(database_url)
        try:
            await asyncio.gather(*(harness.expired() for _ in range(5)))
            with psycopg.connect(database_url) as other:
                there = "select count(*) from pg_stat_activity where datname = current_database() and pid <> %s"
                row = other.execute(there, [other.info.backend_pid]).fetchone()
                assert row
                return row[0]
        finally:
            await harness.close()

    assert asyncio.run(sessions()) == 1
