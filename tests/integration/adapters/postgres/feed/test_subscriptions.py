"""Connections, subscriptions and catching up, on a real Postgres."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from shared.adapters import clock
from shared.usecases.access import Principal
from shared.usecases.feed.connect import connect
from tests.support.calls import answered, routed
from tests.support.stage import Stage, open_transaction, staged

EVERYTHING = Principal("admin", frozenset({"*"}), 0)
SPANISH = Principal("supervisor", frozenset({"spanish"}), 0)
ENGLISH = Principal("supervisor", frozenset({"english"}), 0)


@pytest.fixture
def play(database_url):
    def run(body):
        async def on_stage():
            async with staged(database_url, "redis://127.0.0.1:1/0") as stage:  # nothing is published
                await body(stage)

        asyncio.run(on_stage())

    return run


def missed(stage: Stage, since: int, *topics: str, principal: Principal = EVERYTHING, limit: int = 1000):
    found = stage.registry.missed_changes(topics, principal, since, limit)
    return None if found is None else [event.id for event in found.events]


def test_a_connection_lasts_as_its_token_but_two_hours_at_most(play):
    async def body(stage: Stage):
        now = clock.now()
        for name, minutes in (("short", 10), ("long", 600)):
            connect(
                stage.registry, name, Principal("admin", frozenset({"*"}), int(now.timestamp()) + 60 * minutes), now
            )
        short, long = stage.registry.find("short"), stage.registry.find("long")
        assert short and short.expires_at - now <= timedelta(minutes=10)
        assert long and long.expires_at - now == timedelta(hours=2)
        stage.registry.remove("short")
        assert stage.registry.find("short") is None

    play(body)


def test_subscribing_is_idempotent_and_needs_a_connection(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish", "queue:spanish", "ops")
        stage.registry.subscribe("c", ["ops"])
        stage.registry.subscribe("gone", ["ops"])
        stage.registry.unsubscribe("c", ["queue:spanish"])
        rows = stage.database.connection().execute("select topic, connection_id from subscriptions").fetchall()
        assert rows == [("ops", "c")]

    play(body)


def test_a_connection_closed_while_subscribing_gets_no_topics(play, other_connection):
    """As a page does that is closed as soon as it is open: each word has an invocation of its own."""

    async def body(stage: Stage):
        stage.listen("c")
        session = stage.database.connection().info.backend_pid
        other_connection.execute("delete from connections where id = 'c'")
        subscribing = asyncio.create_task(asyncio.to_thread(stage.registry.subscribe, "c", ["ops"]))
        with psycopg.connect(stage.postgres_url, autocommit=True) as watching:
            while watching.execute("select pg_blocking_pids(%s) = '{}'", [session]).fetchone() == (True,):
                await asyncio.sleep(0)
        other_connection.commit()
        await subscribing
        assert stage.database.connection().execute("select from subscriptions").fetchall() == []

    play(body)


def test_the_position_waits_for_unpublished_transactions(play):
    async def body(stage: Stage):
        before = stage.registry.position()
        await stage.begin("c1")
        owed = stage.registry.position()
        stage.database.connection().execute("delete from outbox")
        assert before <= owed < stage.registry.position()

    play(body)


def test_an_event_that_commits_late_is_never_skipped(play, database_url):
    """The transaction took its id before another one that is committed and sent already."""

    async def body(stage: Stage):
        connection = open_transaction(database_url)
        early = await stage.begin("c1")
        stage.database.connection().execute("delete from outbox")
        position = stage.registry.position()
        connection.execute(
            "insert into calls (id, status, type, queue_id, initiated_at, state) "
            "select 'late', status, type, queue_id, initiated_at, state from calls where id = 'c1'"
        )
        connection.execute(
            "insert into events (id, call_id, name, data, at, dated, received_at, source, fingerprint, state, version) "
            "select 'late', 'late', name, data, at, dated, received_at, source, '', state, version from events"
        )
        connection.commit()
        connection.close()
        assert set(missed(stage, position, "queue:spanish") or ()) == {early, "late"}

    play(body)


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param({"event": "call_ended", "endReason": "abandoned", "duration": 0}, id="the caller hangs up"),
        pytest.param({"event": "call_routed", "agentId": "bea", "routingTime": 1}, id="another agent is offered"),
        pytest.param({"event": "call_answered", "agentId": "bea", "waitTime": 1}, id="another agent answers"),
    ],
)
def test_an_agent_topic_gets_the_event_that_freed_the_agent(play, gone):
    """As it is sent live. Otherwise a resumed client would show the offer for ever."""

    async def body(stage: Stage):
        await stage.begin("s1")
        await stage.send(routed("s1"))
        stage.database.connection().execute("delete from outbox")
        since = stage.registry.position()
        (left,) = await stage.send(gone | {"callId": "s1"})
        assert missed(stage, since, "agent:ana") == [left]
        assert missed(stage, since, "agent:zoe") == []
        assert missed(stage, since, "agent:ana", principal=ENGLISH) == []
        if gone["event"] != "call_ended":
            await stage.send({"event": "call_ended", "callId": "s1", "endReason": "abandoned", "duration": 0})
            assert missed(stage, since, "agent:ana") == [left], "what came after is no business of ana's"

    play(body)


def test_a_catch_up_holds_the_subscribed_permitted_entries(play):
    async def body(stage: Stage):
        since = stage.registry.position()
        s1, e1 = await stage.begin("s1"), await stage.begin("e1", "english")
        rang, spoke = await stage.send(routed("s1"), answered("s1", 31))
        assert missed(stage, since, "queue:spanish") == [s1, rang, spoke]
        assert missed(stage, since, "queue:spanish", "queue:english") == [s1, e1, rang, spoke]
        assert missed(stage, since, "queue:spanish", "queue:english", principal=SPANISH) == [s1, rang, spoke]
        assert missed(stage, since, "call:e1") == [e1]
        assert missed(stage, since, "call:e1", principal=SPANISH) == []
        assert missed(stage, since, "agent:ana") == [s1, rang, spoke]  # the call is ana's, with its history
        assert missed(stage, since, "alerts:spanish") == [s1, rang, spoke]
        assert missed(stage, since, "alerts:english", "ops") == []
        stage.database.connection().execute("delete from outbox")
        assert missed(stage, stage.registry.position(), "queue:spanish") == []

    play(body)


def test_an_incomplete_catch_up_is_refused(play):
    async def body(stage: Stage):
        since = stage.registry.position()
        for n in range(3):
            await stage.begin(f"c{n}")
        assert len(missed(stage, since, "queue:spanish", limit=3) or ()) == 3
        assert missed(stage, since, "queue:spanish", limit=2) is None
        assert missed(stage, 10**12, "queue:spanish") is None  # a position that was never given out here

    play(body)


def test_a_call_that_left_is_only_shown_by_a_snapshot(play):
    async def body(stage: Stage):
        await stage.begin("c1")
        await stage.send(routed("c1"), answered("c1"))
        stage.database.connection().execute("delete from outbox")
        since = stage.registry.position()
        (moved,) = await stage.send({"event": "call_transferred", "callId": "c1", "queueId": "english"})
        assert missed(stage, since, "queue:spanish") is None
        assert missed(stage, since, "agent:ana") is None
        assert missed(stage, since, "queue:spanish", "queue:english") == [moved]
        assert missed(stage, since, "queue:english") == [moved]
        stage.database.connection().execute("delete from outbox")
        assert missed(stage, stage.registry.position(), "queue:spanish") == []

    play(body)
