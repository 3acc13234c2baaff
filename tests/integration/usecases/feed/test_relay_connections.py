"""Connections that are slow, fail or are gone do not affect other connections."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters import clock
from tests.support.calls import answered, initiated, routed
from tests.support.stage import Stage

pytestmark = pytest.mark.anyio


async def test_a_busy_connection_gets_latest_versions_and_all_events(stage: Stage):
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
        await running.relay_store.until_cleared(first, *later)
    frames = stage.gateway.frames["slow"]
    assert [[call["version"] for call in frame["calls"]] for frame in frames] == [[1], [3]]
    assert stage.gateway.events("slow") == [first, *later]


async def test_a_slow_connection_delays_only_its_own_messages(stage: Stage):
    stage.listen("slow", "queue:spanish")
    stage.listen("fast", "queue:spanish", "queue:english")
    stage.gateway.held["slow"] = asyncio.Event()
    async with stage.relay() as running:
        await running.ready()
        spanish = [await stage.begin(f"s{n}") for n in range(20)]
        english = [await stage.begin(f"e{n}", "english") for n in range(20)]
        await stage.gateway.until(lambda: len(stage.gateway.events("fast")) == 40)
        await running.relay_store.until_cleared(*english)
        assert stage.gateway.events("slow") == []
        assert stage.owed() == set(spanish)
        stage.gateway.held["slow"].set()
        await running.relay_store.until_cleared(*spanish)
        assert stage.gateway.events("slow") == spanish


async def test_a_connection_that_is_gone_is_struck_off(stage: Stage):
    stage.listen("gone", "queue:spanish")
    stage.gateway.closed.add("gone")
    async with stage.relay() as running:
        await running.ready()
        event = await stage.begin("c1")
        await running.relay_store.until_cleared("gone", event)
    assert stage.registry.find("gone") is None


async def test_a_failed_post_is_retried_with_newer_entries(stage: Stage):
    stage.listen("stumbling", "queue:spanish")
    answers = iter([500, 429, 503])
    stage.gateway.refuse = lambda _: next(answers, None)
    async with stage.relay() as running:
        await running.ready()
        event = await stage.begin("c1")
        await running.relay_store.until_cleared(event)
    assert stage.gateway.asked["stumbling"] == 4
    assert stage.gateway.events("stumbling") == [event]


async def test_a_connection_that_accepts_nothing_is_closed(stage: Stage):
    stage.listen("broken", "queue:spanish")
    stage.gateway.refuse = lambda _: 500
    async with stage.relay() as running:
        await running.ready()
        event = await stage.begin("c1")
        await running.relay_store.until_cleared("broken", event)
    assert stage.gateway.closed == {"broken"}
    assert stage.registry.find("broken") is None


async def test_a_connection_too_far_behind_is_sent_a_reset(stage: Stage):
    stage.listen("slow", "queue:spanish")
    held = stage.gateway.held["slow"] = asyncio.Event()
    async with stage.relay() as running:
        await running.ready()
        first = await stage.begin("first")
        await stage.gateway.until(lambda: stage.gateway.asked["slow"])
        many = await stage.send(*(initiated(f"c{n}", metadata={"note": "x" * 3000}) for n in range(120)))
        while running.relay.events < 121:
            await asyncio.sleep(0)
        assert stage.owed() == {first, *many}
        held.set()
        await running.relay_store.until_cleared(first, *many)
    update, reset, *rest = stage.gateway.frames["slow"]
    assert update["type"] == "update"
    assert (reset["type"], reset["topics"], rest) == ("reset", ["queue:spanish"], [])


async def test_an_expired_connection_is_closed_without_a_message(stage: Stage):
    stage.listen("old", "queue:spanish")
    stage.database.connection().execute("update connections set expires_at = %s", [clock.now() - timedelta(seconds=1)])
    async with stage.relay() as running:
        await running.ready()
        await running.relay_store.until_cleared("old", await stage.begin("c1"))
    assert stage.gateway.closed == {"old"}
    assert stage.gateway.frames == {}
