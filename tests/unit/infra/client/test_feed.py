"""The client's feed: subscribes, reads, follows, resumes, and polls where no socket is to be had."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.server import serve

import infra.client
from tests.support.feed_server import Server, both, call, following, refusing, say, until, update

pytestmark = pytest.mark.anyio

README = Path(infra.client.__file__).with_name("README.md")


async def test_it_subscribes_then_reads_the_snapshot_then_follows():
    async with following() as (server, feed, updates):
        server.calls, server.position = [call("a", 2), {**call("foreign", 1), "queueId": "other"}], 7
        socket, asked = await both(server.subscribed(), until(updates, "live"))
        assert asked == {"action": "subscribe", "topics": ["queue:q"]}
        assert "token=t" in socket.request.path
        assert feed.replica.calls == {"a": call("a", 2)} and feed.live.is_set()
        await say(socket, **update(call("a", 1), call("b", 1), position=9))
        assert [view["id"] for view in (await anext(updates)).change.calls] == ["b"]
        assert feed.replica.position == 9


async def test_frames_that_overtake_the_snapshot_are_sorted_out():
    async with following() as (server, feed, updates):
        server.calls = [call("a", 2), call("over", 1)]
        reading = asyncio.create_task(until(updates, "update"))
        socket, _ = await server.subscribed()
        await say(socket, **update(call("a", 1), call("over", 2, "ended")))
        await reading
        assert feed.replica.calls == {"a": call("a", 2)}


async def test_cut_off_it_comes_back_and_resumes_from_its_position():
    async with following() as (server, feed, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await say(socket, **update(call("a", 1), position=41))
        await until(updates, "update")
        await socket.close()
        (_, asked) = await both(server.subscribed(position=42, replayed=True), until(updates, "live"))
        assert asked["since"] == 0  # not 41, which may have overtaken an earlier one
        assert (server.reads, feed.connections) == (1, 2)
        assert feed.replica.calls == {"a": call("a", 1)}


async def test_without_a_replay_the_snapshot_is_read():
    async with following() as (server, feed, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await say(socket, **update(call("ended-during-the-cut", 1), position=3))
        await until(updates, "update")
        server.calls, server.position = [call("begun-during-the-cut", 1)], 4
        await socket.close()
        await both(server.subscribed(replayed=False), until(updates, "live"))
        assert set(feed.replica.calls) == {"begun-during-the-cut"}


async def test_a_reset_reads_the_snapshot_again():
    async with following() as (server, feed, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        server.calls, server.position = [call("a", 5)], 50
        await say(socket, type="reset", topics=["queue:q"], position=50)
        await until(updates, "snapshot")
        assert feed.replica.calls == {"a": call("a", 5)} and feed.replica.position == 50


async def test_a_doubt_is_settled_by_another_snapshot():
    async with following() as (server, feed, updates):
        server.position = 9
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await say(socket, **update(call("over", 1), position=8))
        await until(updates, "snapshot")
        assert feed.replica.calls == {} and server.reads == 2


async def test_a_call_that_goes_on_beyond_the_topics_is_seen_to_leave():
    async with following() as (server, feed, updates):
        server.calls = [call("a", 1)]
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        await say(socket, **update(call("a", 2, queueId="foreign")))
        assert [view["queueId"] for view in (await anext(updates)).change.calls] == ["foreign"]
        assert feed.replica.calls == {}


async def test_pings_keep_the_connection_alive(monkeypatch):
    monkeypatch.setattr("infra.client.feed.PING_SECONDS", 0.05)
    async with following() as (server, _, updates):
        await both(server.subscribed(), until(updates, "live"))
        asking = asyncio.create_task(anext(updates))
        assert await server.heard.get() == {"action": "ping"}
        asking.cancel()
        await asyncio.wait([asking])


async def test_a_connection_is_replaced_before_its_limit(monkeypatch):
    loop, passed_minutes = asyncio.get_running_loop(), 0
    monkeypatch.setattr("infra.client.feed._now", lambda: loop.time() + passed_minutes * 60)
    async with following() as (server, feed, updates):
        old, _ = await both(server.subscribed(position=7), until(updates, "live"))
        passed_minutes = 109
        await say(old, **update(call("a", 1), position=8))
        await until(updates, "update")
        passed_minutes = 111
        _, asked = await both(server.subscribed(position=9, replayed=True), until(updates, "live"))
        await old.wait_closed()
        assert (asked["since"], feed.connections, server.reads) == (7, 2, 1)


async def test_a_silent_feed_with_a_live_socket_is_detected(monkeypatch):
    monkeypatch.setattr("infra.client.feed.AUDIT_SECONDS", 0)  # after each frame
    async with following() as (server, feed, updates):
        server.calls, server.position = [call("a", 1)], 5
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        server.changed = [call("b", 1)]
        assert [view["id"] for view in (await until(updates, "polled")).change.calls] == ["b"]
        await say(socket, **update(call("b", 1), position=6))  # it was only on its way
        await until(updates, "update")
        server.changed = [call("b", 1), call("c", 4)]
        assert [view["id"] for view in (await until(updates, "polled")).change.calls] == ["c"]
        await say(socket, **update(call("c", 3), position=7))  # older than what REST knew
        assert "no frame for 1 changed calls" in (await until(updates, "lost")).detail
        _, asked = await both(server.subscribed(position=9, replayed=True), until(updates, "live"))
        assert asked["since"] == 5  # where the feed stood, not where REST did
        assert set(feed.replica.calls) == {"a", "b", "c"}


async def test_a_feed_continues_when_an_audit_fails(monkeypatch):
    monkeypatch.setattr("infra.client.feed.AUDIT_SECONDS", 0)
    async with following() as (server, _, updates):
        socket, _ = await both(server.subscribed(), until(updates, "live"))
        server.failures = 1
        await say(socket, **update(call("a", 1)))
        assert (await anext(updates)).kind == "update"


async def test_where_sockets_are_refused_it_polls_for_changes(monkeypatch):
    monkeypatch.setattr("infra.client.feed.FIRST_PAUSE_SECONDS", 0.001)
    good = httpx.Response(200, json={"data": []})
    snapshot = httpx.Response(200, json={"data": [call("a", 1), call("b", 1)], "nextCursor": None, "position": 5})
    changes = {"reset": False, "calls": [call("a", 2, "ended")], "left": [{"id": "b", "version": 2}], "agents": []}
    polled = httpx.Response(200, json={**changes, "position": 9})
    async with refusing(good, good, good, snapshot, good, good, polled) as updates:
        seen = [await anext(updates) for _ in range(6)]
    assert [item.kind for item in seen] == ["lost", "lost", "lost", "snapshot", "lost", "polled"]
    assert [view["id"] for view in seen[-1].change.calls] == ["a"]


async def test_the_example_of_the_readme_runs():
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example and len(example[1].splitlines()) <= 12
    server, printed = Server(), asyncio.Queue()
    server.calls = [call("a", 1)]

    def over_http(connection, request):
        path = urlsplit(request.path).path
        if path == "/api/queues":
            return connection.respond(200, json.dumps({"data": [{"id": "q"}]}))
        answer = server.rest(httpx.Request("GET", f"http://floor{path}")) if path.startswith("/api/") else None
        return answer and connection.respond(answer.status_code, answer.text)

    names: dict[str, Any] = {"print": lambda *words: printed.put_nowait(words)}
    exec(example[1], names)
    async with asyncio.timeout(10), serve(server.socket, "127.0.0.1", 0, process_request=over_http) as listening:
        address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        running = asyncio.create_task(names["follow"](f"http://{address}", f"ws://{address}", "t"))
        await server.subscribed()
        assert [await printed.get(), await printed.get()] == [("snapshot", 1, "waiting"), ("live", 1, "waiting")]
        running.cancel()
        await asyncio.wait([running])
