"""What the client's feed makes of failures: the three classic ones, silence, and refusals."""

import asyncio

import httpx
import pytest

from infra.client import Feed, FeedUpdate, Problem, Replica
from infra.client.state import FeedState
from tests.support.feed_server import both, call, following, problem, refusing, say, until, update

pytestmark = pytest.mark.anyio


async def gap_between_snapshot_and_subscription(server, feed, updates):
    living = asyncio.create_task(until(updates, "live"))
    socket, asked = await server.sockets.get(), await server.heard.get()
    server.calls = [call("between", 1)]  # sent while no connection was subscribed
    await say(socket, type="subscribed", topics=asked["topics"], position=5, replayed=False)
    await living
    assert set(feed.replica.calls) == {"between"}


async def recovery_that_fails_during_a_reload(server, feed, updates):
    socket, _ = await both(server.subscribed(), until(updates, "live"))
    server.calls, server.failures = [call("missed", 1)], 1
    await say(socket, type="reset", topics=["queue:q"], position=50)
    await until(updates, "lost")
    await both(server.subscribed(position=50, replayed=True), until(updates, "live"))
    assert set(feed.replica.calls) == {"missed"}


async def update_before_an_older_snapshot(server, feed, updates):
    socket, _ = await both(server.subscribed(), until(updates, "live"))
    await say(socket, **update(call("a", 3), position=9))
    await until(updates, "update")
    server.calls, server.position = [call("a", 2)], 8
    await say(socket, type="reset", topics=["queue:q"], position=9)
    await until(updates, "snapshot")
    assert feed.replica.calls == {"a": call("a", 3)}


def read_before_subscribing(monkeypatch):
    async def subscribe(feed, socket):
        await feed._read_snapshot({})
        await subscribe_only(feed, socket)

    async def heal(_, frame):
        return [FeedUpdate("snapshot", frame=frame)]

    subscribe_only = Feed._subscribe
    monkeypatch.setattr(Feed, "_subscribe", subscribe)
    monkeypatch.setattr(Feed, "_close_gap", heal)


def forget_the_gap(monkeypatch):
    def ask(state):
        state._closed_gaps = state._gaps
        return asked(state)

    asked = FeedState.begin_snapshot
    monkeypatch.setattr(FeedState, "begin_snapshot", ask)


def overwrite(monkeypatch):
    monkeypatch.setattr(Replica, "_version_of", lambda *_: -1)


@pytest.mark.parametrize(
    ("failure", "take_safeguard_out"),
    [
        pytest.param(gap_between_snapshot_and_subscription, read_before_subscribing, id="gap"),
        pytest.param(recovery_that_fails_during_a_reload, forget_the_gap, id="failed recovery"),
        pytest.param(update_before_an_older_snapshot, overwrite, id="older snapshot"),
    ],
)
async def test_each_known_failure_is_handled_by_its_safeguard(failure, take_safeguard_out, monkeypatch):
    async with following() as stage:
        await failure(*stage)
    take_safeguard_out(monkeypatch)
    async with following() as stage:
        with pytest.raises(AssertionError):
            await failure(*stage)


async def test_a_connection_that_falls_silent_is_replaced():
    async with following(silence_seconds=0.2) as (server, feed, updates):
        await both(server.subscribed(), until(updates, "live"))
        lost = await until(updates, "lost")
        assert "silent" in lost.detail and not feed.live.is_set()
        await both(server.subscribed(replayed=True), until(updates, "live"))


@pytest.mark.parametrize("words", ["", "<html>", "[]"], ids=["nothing", "html", "an array"])
async def test_an_unreadable_frame_restarts_the_feed(words):
    async with following() as (server, _, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await socket.send(words)
        assert "unreadable frame" in (await until(updates, "lost")).detail
        await both(server.subscribed(), until(updates, "live"))


async def test_an_error_frame_is_reported_and_changes_nothing():
    async with following() as (server, _, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await say(socket, type="error", problem={"status": 403, "title": "Not permitted", "detail": "queue:q"})
        assert (await anext(updates)).detail == "403 Not permitted\n  queue:q"
        await say(socket, **update(call("a", 1)))
        assert (await anext(updates)).kind == "update"


async def test_a_subscription_that_fails_for_an_outage_is_made_again():
    async with following() as (server, feed, updates):
        losing = asyncio.create_task(until(updates, "lost"))
        socket, _ = await server.sockets.get(), await server.heard.get()
        await say(socket, type="error", problem={"status": 503, "title": "Not available for the moment"})
        assert "503" in (await losing).detail
        await both(server.subscribed(), until(updates, "live"))
        assert feed.connections == 2


async def test_a_subscription_that_is_not_permitted_ends_the_feed():
    async with following() as (server, _, updates):
        losing = asyncio.create_task(until(updates, "live"))
        socket, _ = await server.sockets.get(), await server.heard.get()
        await say(socket, type="error", problem={"status": 403, "title": "Not permitted", "detail": "queue:q"})
        with pytest.raises(Problem, match="queue:q"):
            await losing


async def test_topics_out_of_sight_are_dropped_and_the_rest_followed():
    """A call that left for a foreign queue while the connection was lost: its topic is refused on the next one."""
    topics = ["queue:q", "call:gone", "agent:ana"]
    async with following(topics=topics) as (server, feed, updates):
        server.calls = [call("a", 1), call("gone", 1, queueId="other")]
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        assert set(feed.replica.calls) == {"a", "gone"}
        await socket.close()
        errors = [{"field": "topics[1]", "message": "call:gone is not permitted by this token"}]
        living = asyncio.create_task(until(updates, "live"))
        socket, _ = await server.sockets.get(), await server.heard.get()
        await say(socket, type="error", problem={"status": 403, "title": "Not permitted", "errors": errors})
        _, asked = await server.subscribed(replayed=True)
        await living
        assert asked["topics"] == ["queue:q", "agent:ana"]
        assert set(feed.replica.calls) == {"a"}


async def test_an_unanswered_subscription_is_repeated():
    async with following(answer_seconds=0.1) as (server, _, updates):
        assert "not subscribed" in (await until(updates, "lost")).detail
        await server.sockets.get()
        await server.heard.get()
        await both(server.subscribed(), until(updates, "live"))


async def test_a_token_that_rest_refuses_too_ends_the_feed():
    async with refusing(problem(401, title="Not signed in", detail="The token has expired.")) as updates:
        with pytest.raises(Problem, match="expired"):
            await anext(updates)


async def test_a_handshake_refused_for_an_outage_is_tried_again():
    good = httpx.Response(200, json={"data": []})
    async with refusing(good, problem(503), good) as updates:
        assert [(await anext(updates)).kind, (await anext(updates)).kind] == ["lost", "lost"]
