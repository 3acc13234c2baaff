"""What the relay makes of an outage: its own, of Redis, of Postgres. Nothing is lost, only later."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest
import redis

from shared.usecases.feed.ports import ChannelDownError
from tests.support.stage import WAIT_SECONDS, Stage

pytestmark = pytest.mark.anyio


async def test_a_kill_between_post_and_clear_loses_nothing(stage: Stage):
    stage.listen("c", "queue:spanish")
    async with stage.relay() as killed:
        await killed.ready()
        killed.relay_store.may_clear.clear()
        event = await stage.begin("c1")
        await stage.gateway.until(lambda: stage.gateway.events("c") == [event])
    assert stage.owed() == {event}
    async with stage.relay() as running:
        await running.relay_store.until_cleared(event)
    assert stage.gateway.events("c") == [event, event]
    assert stage.owed() == set()


async def test_a_relay_first_sends_what_it_missed(stage: Stage):
    stage.listen("c", "queue:spanish")
    events = [await stage.begin(f"c{n}") for n in range(3)]
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*events)
    assert stage.gateway.events("c") == events


async def test_after_a_redis_restart_lost_messages_are_sent(stage: Stage, redis_server):
    stage.listen("c", "queue:spanish")
    async with stage.relay() as running:
        await running.ready()
        with redis.Redis.from_url(redis_server.url) as client:
            client.client_kill_filter(_type="pubsub")
            missed = await stage.begin("missed")  # published without a subscriber
            await running.relay_store.until_cleared(missed)
            heard = await stage.begin("heard")
            await running.relay_store.until_cleared(heard)
    assert set(stage.gateway.events("c")) == {missed, heard}


async def test_postgres_cutting_the_relay_off_loses_nothing(stage: Stage, database_url):
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
        await running.relay_store.until_cleared(event)
    assert stage.gateway.events("c") == [event]


async def test_agents_news_outlive_an_outage_of_the_channel(stage: Stage):
    connection = stage.database.connection()
    connection.execute(
        "insert into agents (id, name, queues, status_since) values ('ana', 'Ana', '{spanish}', now() - interval '1h')"
    )
    stage.listen("agent", "agent:ana", queues=["spanish"])
    await stage.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
    async with stage.relay():
        await stage.gateway.until(lambda: stage.gateway.frames["agent"])
    (frame,) = stage.gateway.frames["agent"]
    assert [(agent["id"], agent["status"]) for agent in frame["agents"]] == [("ana", "available")]


async def test_a_relay_ends_on_time_while_redis_goes_down(stage: Stage, redis_server):
    async def messages():
        listening.cancel()
        raise ChannelDownError("down")
        yield  # as a channel does

    @asynccontextmanager
    async def going_down():
        yield messages()

    async with stage.relay() as running:
        await running.ready()
        listening = next(task for task in asyncio.all_tasks() if "Relay._listen" in repr(task.get_coro()))
        running.relay._channel.listen = going_down
        with redis.Redis.from_url(redis_server.url) as client:
            client.client_kill_filter(_type="pubsub")
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait([listening])
