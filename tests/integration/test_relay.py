"""The relay between a real Redis, a real Postgres and a gateway that takes posts as API Gateway does."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import psycopg
import pytest
import redis

from shared.adapters import clock
from tests.integration.stage import Stage, answered, initiated, routed, staged


@pytest.fixture
def play(database_url, redis_server):
    """Run a test's body on a stage."""

    def run(body):
        async def on_stage():
            async with staged(database_url, redis_server.url) as stage:
                await body(stage)

        asyncio.run(on_stage())

    return run


def test_each_socket_gets_exactly_what_it_asked_for_and_may_see(play):
    async def body(stage: Stage):
        stage.listen("spanish", "queue:spanish", queues=["spanish"])
        stage.listen("english", "queue:english", queues=["english"])
        stage.listen("both", "queue:spanish", "queue:english")
        stage.listen("call", "call:s1")
        stage.listen("agent", "agent:ana")
        stage.listen("alerts", "alerts:spanish")
        stage.listen("foreign", "queue:spanish", "call:s1", "agent:ana", "alerts:spanish", queues=["english"])
        stage.listen("sender", "queue:spanish", role="sender")
        stage.listen("nothing")
        async with stage.relay() as running:
            await running.ready()
            s1 = await stage.begin("s1")
            e1 = await stage.begin("e1", "english")
            s2 = await stage.begin("s2")
            rang, spoke = await stage.send(routed("s1"), answered("s1", 31))
            await running.floor.until_cleared(s1, e1, s2, rang, spoke)
        owed = {
            "spanish": {s1, s2, rang, spoke},
            "english": {e1},
            "both": {s1, e1, s2, rang, spoke},
            "call": {s1, rang, spoke},
            "agent": {rang, spoke},
            "alerts": {rang, spoke},  # the batch told them with the call as both had left it: flagged
        }
        got = {name: set(stage.gateway.events(name)) for name in stage.gateway.frames}
        assert got == owed
        assert stage.gateway.calls("both") == {"s1": 3, "e1": 1, "s2": 1}
        assert stage.owed() == set()

    play(body)


def test_what_nobody_listens_to_is_cleared_as_well(play):
    async def body(stage: Stage):
        async with stage.relay() as running:
            await running.ready()
            await running.floor.until_cleared(await stage.begin("c1"))
        assert stage.owed() == set()

    play(body)


def test_while_a_post_is_under_way_a_call_is_told_once_in_its_latest_version_and_every_event_once(play):
    async def body(stage: Stage):
        stage.listen("slow", "queue:spanish")
        held = stage.gateway.held["slow"] = asyncio.Event()
        async with stage.relay() as running:
            await running.ready()
            first = await stage.begin("c1")
            await stage.gateway.until(lambda: stage.gateway.asked["slow"])
            later = [*await stage.send(routed("c1")), *await stage.send(answered("c1"))]
            sorted_in = running.relay
            while sorted_in.events < 3:  # until the relay has taken in all three
                await asyncio.sleep(0)
            held.set()
            await running.floor.until_cleared(first, *later)
        frames = stage.gateway.frames["slow"]
        assert [[call["version"] for call in frame["calls"]] for frame in frames] == [[1], [3]]
        assert stage.gateway.events("slow") == [first, *later]

    play(body)


def test_a_slow_connection_holds_up_nobody_and_keeps_only_its_own_events_owed(play):
    async def body(stage: Stage):
        stage.listen("slow", "queue:spanish")
        stage.listen("fast", "queue:spanish", "queue:english")
        stage.gateway.held["slow"] = asyncio.Event()
        async with stage.relay() as running:
            await running.ready()
            spanish = [await stage.begin(f"s{n}") for n in range(20)]
            english = [await stage.begin(f"e{n}", "english") for n in range(20)]
            await stage.gateway.until(lambda: len(stage.gateway.events("fast")) == 40)
            await running.floor.until_cleared(*english)
            assert stage.gateway.events("slow") == []
            assert stage.owed() == set(spanish)
            stage.gateway.held["slow"].set()
            await running.floor.until_cleared(*spanish)
            assert stage.gateway.events("slow") == spanish

    play(body)


def test_a_connection_that_is_gone_is_struck_off(play):
    async def body(stage: Stage):
        stage.listen("gone", "queue:spanish")
        stage.gateway.closed.add("gone")
        async with stage.relay() as running:
            await running.ready()
            event = await stage.begin("c1")
            await running.floor.until_cleared("gone", event)
        assert stage.registry.find("gone") is None

    play(body)


def test_errors_are_tried_again_with_what_came_since(play):
    async def body(stage: Stage):
        stage.listen("stumbling", "queue:spanish")
        answers = iter([500, 429, 503])
        stage.gateway.refuse = lambda _: next(answers, None)
        async with stage.relay() as running:
            await running.ready()
            event = await stage.begin("c1")
            await running.floor.until_cleared(event)
        assert stage.gateway.asked["stumbling"] == 4
        assert stage.gateway.events("stumbling") == [event]

    play(body)


def test_a_connection_that_takes_nothing_is_closed_so_that_its_client_comes_back(play):
    async def body(stage: Stage):
        stage.listen("broken", "queue:spanish")
        stage.gateway.refuse = lambda _: 500
        async with stage.relay() as running:
            await running.ready()
            event = await stage.begin("c1")
            await running.floor.until_cleared("broken", event)
        assert stage.gateway.closed == {"broken"}
        assert stage.registry.find("broken") is None

    play(body)


def test_a_relay_killed_between_post_and_clear_leaves_all_to_the_next(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        async with stage.relay() as killed:
            await killed.ready()
            killed.floor.may_clear.clear()
            event = await stage.begin("c1")
            await stage.gateway.until(lambda: stage.gateway.events("c") == [event])
        assert stage.owed() == {event}
        async with stage.relay() as running:
            await running.floor.until_cleared(event)
        assert stage.gateway.events("c") == [event, event]
        assert stage.owed() == set()

    play(body)


def test_what_was_recorded_while_nobody_listened_is_told_at_once(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        events = [await stage.begin(f"c{n}") for n in range(3)]
        async with stage.relay() as running:
            await running.floor.until_cleared(*events)
        assert stage.gateway.events("c") == events

    play(body)


def test_a_transfer_is_told_to_both_queues_live_and_from_the_outbox(play):
    async def body(stage: Stage):
        for name, queue in (("s", "spanish"), ("e", "english")):
            stage.listen(name, f"queue:{queue}", queues=[queue])
        moved = {"event": "call_transferred", "callId": "c1", "queueId": "english"}
        async with stage.relay() as running:
            await running.ready()
            before = [await stage.begin("c1"), *await stage.send(routed("c1"), answered("c1"))]
            (transfer,) = await stage.send(moved)
            (after,) = await stage.send(routed("c1", "bea"))
            await running.floor.until_cleared(*before, transfer, after)
        assert stage.gateway.events("s") == [*before, transfer]
        assert stage.gateway.events("e") == [transfer, after]
        moved["callId"] = "c2"
        quiet = [await stage.begin("c2"), *await stage.send(routed("c2"), answered("c2"), moved)]
        async with stage.relay() as running:
            await running.floor.until_cleared(*quiet)
        assert (
            stage.gateway.events("s")[len(before) + 1 :] == quiet[1:]
        )  # the transaction that moved it; the first event's call is english by now
        assert stage.gateway.events("e")[2:] == quiet

    play(body)


def test_frames_stay_below_32_kb(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        events = [await stage.begin(f"c{n}", metadata={"note": "ñ" * 2000}) for n in range(20)]
        async with stage.relay() as running:
            await running.floor.until_cleared(*events)
        assert max(stage.gateway.sizes) < 32 * 1024
        assert sorted(stage.gateway.events("c")) == sorted(events)
        assert len(stage.gateway.calls("c")) == 20

    play(body)


def test_one_that_falls_too_far_behind_is_told_to_read_anew(play):
    async def body(stage: Stage):
        stage.listen("slow", "queue:spanish")
        held = stage.gateway.held["slow"] = asyncio.Event()
        async with stage.relay() as running:
            await running.ready()
            first = await stage.begin("first")
            await stage.gateway.until(lambda: stage.gateway.asked["slow"])
            many = await stage.send(*(initiated(f"c{n}", metadata={"note": "x" * 3000}) for n in range(60)))
            while running.relay.events < 61:
                await asyncio.sleep(0)
            assert stage.owed() == {first, *many}
            held.set()
            await running.floor.until_cleared(first, *many)
        update, reset, *rest = stage.gateway.frames["slow"]
        assert update["type"] == "update"
        assert (reset["type"], reset["topics"], rest) == ("reset", ["queue:spanish"], [])

    play(body)


def test_a_restarted_redis_is_heard_again_and_what_it_lost_is_told(play, redis_server):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        async with stage.relay() as running:
            await running.ready()
            with redis.Redis.from_url(redis_server.url) as client:
                client.client_kill_filter(_type="pubsub")
                missed = await stage.begin("missed")  # published to nobody
                await running.floor.until_cleared(missed)
                heard = await stage.begin("heard")
                await running.floor.until_cleared(heard)
        assert set(stage.gateway.events("c")) == {missed, heard}

    play(body)


def test_postgres_cutting_the_relay_off_loses_nothing(play, database_url):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        async with stage.relay() as running:
            await running.ready()
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            stage.database.close()
            event = await stage.begin("c1")
            await running.floor.until_cleared(event)
        assert stage.gateway.events("c") == [event]

    play(body)


def test_agents_are_told_of_on_their_own_topics(play):
    async def body(stage: Stage):
        connection = stage.database.connection()
        connection.execute(
            "insert into agents (id, name, queues, status_since) "
            "values ('ana', 'Ana', '{spanish}', now() - interval '1h')"
        )
        stage.listen("agent", "agent:ana", queues=["spanish"])
        stage.listen("queue", "queue:spanish")
        stage.listen("other", "queue:english", "agent:bea")
        stage.listen("foreign", "agent:ana", queues=["english"])
        async with stage.relay() as running:
            await running.ready()
            await stage.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
            await stage.gateway.until(lambda: {"agent", "queue"} <= set(stage.gateway.frames))
        assert set(stage.gateway.frames) == {"agent", "queue"}
        (frame,) = stage.gateway.frames["agent"]
        assert [(agent["id"], agent["status"]) for agent in frame["agents"]] == [("ana", "available")]

    play(body)


def test_a_connection_whose_time_is_over_is_told_nothing_and_closed(play):
    async def body(stage: Stage):
        stage.listen("old", "queue:spanish")
        stage.database.connection().execute(
            "update connections set expires_at = %s", [clock.now() - timedelta(seconds=1)]
        )
        async with stage.relay() as running:
            await running.ready()
            await running.floor.until_cleared("old", await stage.begin("c1"))
        assert stage.gateway.closed == {"old"}
        assert stage.gateway.frames == {}

    play(body)


def test_the_last_relay_calls_for_a_successor_and_stays_until_it_is_there(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        async with stage.relay(seconds=0) as leaving:
            await leaving.ready()
            async with stage.relay() as successor:
                await successor.ready()
                await leaving.task
                event = await stage.begin("c1")
                await successor.floor.until_cleared(event)
        assert stage.gateway.events("c") == [event]

    play(body)


def test_the_older_of_two_leaves_to_the_younger(play):
    async def body(stage: Stage):
        stage.listen("c", "queue:spanish")
        async with stage.relay() as older:
            await older.ready()
            async with stage.relay() as younger:
                await younger.ready()
                async with asyncio.timeout(20):
                    await older.task
                event = await stage.begin("c1")
                await younger.floor.until_cleared(event)
                assert not stage.called.is_set()
        assert stage.gateway.events("c") == [event]

    play(body)


def test_of_many_relays_that_start_at_once_two_stay(play):
    async def body(stage: Stage):
        async with AsyncExitStack() as stack:
            started = [await stack.enter_async_context(stage.relay()) for _ in range(8)]
            left = [asyncio.create_task(asyncio.wait({running.task})) for running in started]
            while sum(task.done() for task in left) < 6:
                await asyncio.wait({task for task in left if not task.done()}, return_when=asyncio.FIRST_COMPLETED)
            staying = [running for running in started if not running.task.done()]
            for running in staying:
                await running.ready()
            assert len(staying) == 2
            assert not stage.called.is_set()

    play(body)


def test_two_that_leave_at_once_do_not_rely_on_each_other(play):
    async def body(stage: Stage):
        async with stage.relay(seconds=0), stage.relay(seconds=0):
            async with asyncio.timeout(20):
                await stage.called.wait()

    play(body)


def test_a_relay_that_is_not_needed_leaves_at_once(play):
    async def body(stage: Stage):
        async with stage.relay() as first, stage.relay() as second:
            await first.ready()
            await second.ready()
            async with stage.relay() as third:
                await third.task
                assert not third.floor.drained.is_set()

    play(body)


def test_agents_news_outlive_an_outage_of_the_channel(play):
    async def body(stage: Stage):
        connection = stage.database.connection()
        connection.execute(
            "insert into agents (id, name, queues, status_since) "
            "values ('ana', 'Ana', '{spanish}', now() - interval '1h')"
        )
        stage.listen("agent", "agent:ana", queues=["spanish"])
        await stage.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
        async with stage.relay():
            await stage.gateway.until(lambda: stage.gateway.frames["agent"])
        (frame,) = stage.gateway.frames["agent"]
        assert [(agent["id"], agent["status"]) for agent in frame["agents"]] == [("ana", "available")]

    play(body)


def test_who_follows_an_agent_hears_that_the_call_left(play):
    async def body(stage: Stage):
        stage.listen("agent", "agent:ana")
        quiet = [await stage.begin("c1"), *await stage.send(routed("c1"), answered("c1"))]
        moved = await stage.send({"event": "call_transferred", "callId": "c1", "queueId": "english"})
        async with stage.relay() as running:
            await running.floor.until_cleared(*quiet, *moved)
        assert stage.gateway.events("agent") == [
            quiet[1],
            *moved,
        ]  # `call_answered` names nobody, and nobody has the call

    play(body)
