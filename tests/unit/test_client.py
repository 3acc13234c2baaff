"""The client: a picture that nothing can falsify, requests that outlast an outage, a feed that comes back."""

import asyncio
import json
import re
from collections import deque
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import serve

import infra.client
from infra.client import Api, Feed, News, Picture, Problem, Unreachable
from infra.client.rest import Recorded
from infra.client.resume import ResumePoint

pytestmark = pytest.mark.anyio

README = Path(infra.client.__file__).with_name("README.md")


@pytest.fixture
def anyio_backend():
    return "asyncio"


def call(call_id, version, status="waiting", **fields):
    return {"id": call_id, "version": version, "status": status, "queueId": "q", "flags": [], **fields}


def update(*calls, position=1, events=(), agents=()):
    return {
        "type": "update",
        "position": position,
        "calls": list(calls),
        "events": list(events),
        "agents": list(agents),
    }


# The picture

LIVES = {
    "open": [call("open", version) for version in range(1, 5)],
    "over": [*[call("over", version) for version in range(1, 4)], call("over", 4, "ended")],
    "late": [call("late", 1), call("late", 2, "ended"), call("late", 3, "ended", flags=["short_call"])],
}
VIEWS = [view for life in LIVES.values() for view in life]


@given(st.permutations(VIEWS), st.lists(st.sampled_from(VIEWS)), st.randoms())
def test_any_order_and_any_copies_make_one_picture(views, copies, random):
    frames = [*views, *copies]
    random.shuffle(frames)
    picture = Picture()
    for number, view in enumerate(frames):
        picture.apply(update(view, position=number))
    assert picture.calls == {"open": LIVES["open"][-1]}
    assert picture.ended == {"over": LIVES["over"][-1], "late": LIVES["late"][-1]}
    assert picture.position == len(frames) - 1


@given(st.permutations(VIEWS), st.integers(0, len(VIEWS)))
def test_a_snapshot_taken_anywhere_between_frames_changes_nothing_in_the_end(views, place):
    picture = Picture()
    for view in views[:place]:
        picture.apply(update(view))
    picture.take_snapshot(picture.known(), [LIVES["open"][-1]])
    for view in views[place:]:
        picture.apply(update(view))
    assert picture.calls == {"open": LIVES["open"][-1]}


def test_an_older_snapshot_does_not_overwrite_what_is_newer():
    picture = Picture()
    asked_with = picture.known()
    picture.apply(update(call("a", 3, "active"), call("b", 2, "ended"), call("new", 1)))
    picture.take_snapshot(asked_with, [call("a", 2), call("b", 1)])
    assert picture.calls == {"a": call("a", 3, "active"), "new": call("new", 1)}


def test_a_call_that_the_snapshot_lacks_has_ended_and_stays_so():
    picture = Picture()
    picture.apply(update(call("gone", 4), call("moving", 4)))
    asked_with = picture.known()
    picture.apply(update(call("moving", 5)))  # while the snapshot is on its way
    picture.take_snapshot(asked_with, [], position=9)
    assert set(picture.calls) == {"moving"} and picture.has_doubt  # of before the snapshot or of after it?
    picture.apply(update(call("gone", 5), position=8))  # sent before, come after
    picture.take_snapshot(picture.known(), [], position=9)
    assert not picture.calls and not picture.has_doubt


def test_a_frame_that_may_be_older_than_the_snapshot_leaves_a_doubt_and_one_that_is_newer_none():
    picture = Picture()
    picture.take_snapshot({}, [call("known", 1)], position=9)
    picture.apply(update(call("known", 2), call("over", 2, "ended"), position=9))
    picture.apply(update(call("new", 1), position=10))
    assert not picture.has_doubt
    picture.apply(update(call("old", 1), position=9))
    assert picture.has_doubt and set(picture.calls) == {"known", "new", "old"}


def test_a_call_that_a_frame_moves_beyond_the_topics_leaves_and_may_return():
    picture = Picture(concerns=lambda call: call["queueId"] == "q")
    picture.apply(update(call("a", 1)))
    change = picture.apply(update(call("a", 3, queueId="foreign"), call("b", 1, queueId="foreign")))
    assert [view["id"] for view in change.calls] == ["a"] and not picture.calls
    picture.apply(update(call("a", 2)))  # sent before, come after
    assert not picture.calls
    picture.apply(update(call("a", 4)))
    assert picture.calls == {"a": call("a", 4)}


def test_what_is_no_news_is_not_told():
    picture = Picture()
    event, agent = {"id": "e1", "callId": "a"}, {"id": "x", "version": 2, "status": "away"}
    frame = update(call("a", 2), events=[event], agents=[agent])
    first, again = picture.apply(frame), picture.apply(frame)
    assert (len(first.calls), len(first.events), len(first.agents)) == (1, 1, 1)
    assert again == type(again)()


def test_an_event_found_void_is_news_and_an_agents_older_status_is_none():
    picture = Picture()
    picture.apply(update(events=[{"id": "e"}], agents=[{"id": "x", "version": 2}]))
    change = picture.apply(update(events=[{"id": "e", "void": True}], agents=[{"id": "x", "version": 1}]))
    assert (len(change.events), len(change.agents)) == (1, 0)


# REST


def api(*answers, patience_seconds=5.0):
    """A client whose requests get these answers in turn, and the requests that it made."""
    left, made = deque(answers), []

    def answer(request):
        made.append(request)
        told = left.popleft()
        if isinstance(told, Exception):
            raise told
        return told

    return Api(
        "http://floor/stage", "t0k", patience_seconds=patience_seconds, transport=httpx.MockTransport(answer)
    ), made


def problem(status, **fields):
    return httpx.Response(status, json={"type": "about:blank", "status": status, **fields})


APPLIED = httpx.Response(201, json={"outcome": "applied", "eventId": "e", "callId": "c", "call": None})
EVENT = {"event": "call_resumed", "callId": "c", "eventId": "e"}


async def test_an_event_is_sent_with_the_token_and_its_answer_read():
    client, made = api(APPLIED)
    answer = await client.record(EVENT)
    assert (answer.status, answer.outcome) == (201, "applied")
    assert str(made[0].url) == "http://floor/stage/api/events"
    assert made[0].headers["Authorization"] == "Bearer t0k"
    assert json.loads(made[0].content) == EVENT


@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(problem(503), id="busy"),
        pytest.param(httpx.Response(502, text="Bad gateway"), id="gateway"),
        pytest.param(httpx.ConnectError("refused"), id="nobody there"),
        pytest.param(httpx.ReadError("reset"), id="cut off"),
    ],
)
async def test_an_outage_is_waited_out_with_the_same_event(outage):
    client, made = api(outage, outage, APPLIED)
    assert (await client.record(EVENT)).outcome == "applied"
    assert len({request.content for request in made}) == 1
    assert client.repeats == 2


async def test_retry_after_is_honoured(monkeypatch):
    pauses = []
    monkeypatch.setattr("infra.client.rest._pause", lambda seconds: pauses.append(seconds) or asyncio.sleep(0))
    client, _ = api(httpx.Response(503, headers={"Retry-After": "3"}), APPLIED)
    await client.record(EVENT)
    assert pauses == [3]


async def test_an_event_without_an_id_is_never_sent_twice():
    client, made = api(problem(503, title="Not available"), APPLIED)
    with pytest.raises(Problem, match="503 Not available"):
        await client.record({"event": "call_resumed", "callId": "c"})
    assert len(made) == 1


async def test_patience_ends():
    client, _ = api(*[httpx.ConnectError("refused")] * 50, patience_seconds=0.4)
    with pytest.raises(Unreachable, match="http://floor/stage does not answer: refused"):
        await client.queues()


async def test_a_refusal_reads_well():
    errors = [{"field": "waitTime", "message": "must not be negative"}]
    client, _ = api(problem(400, title="The request is not valid", detail="Not valid: waitTime", errors=errors))
    with pytest.raises(Problem) as refused:
        await client.record(EVENT)
    assert str(refused.value).split("\n  ") == [
        "400 The request is not valid",
        "Not valid: waitTime",
        "waitTime: must not be negative",
    ]


@pytest.mark.parametrize("body", [b"<html>no</html>", b'"no"', b""], ids=["html", "text", "nothing"])
async def test_a_refusal_that_is_no_document_is_a_problem_too(body):
    client, _ = api(httpx.Response(404, content=body))
    with pytest.raises(Problem, match="404 Not Found"):
        await client.queues()


async def test_many_events_get_an_answer_each():
    results = [
        {"status": 201, "outcome": "applied", "eventId": "e1", "callId": "c", "call": None},
        {"status": 409, "problem": {"title": "The event is not possible now", "detail": "The call has ended."}},
    ]
    client, made = api(httpx.Response(200, json={"results": results}))
    first, second = await client.record_many([EVENT, EVENT], history=True)
    assert made[0].url.params["history"] == "true"
    assert isinstance(first, Recorded) and first.outcome == "applied"
    assert isinstance(second, Problem) and "The call has ended." in str(second)


async def test_all_pages_are_read():
    pages = [{"data": [call("a", 1)], "nextCursor": "more"}, {"data": [call("b", 1)], "nextCursor": None}]
    client, made = api(*[httpx.Response(200, json=page) for page in pages])
    assert [item["id"] for item in await client.calls(status="waiting")] == ["a", "b"]
    assert [dict(request.url.params) for request in made] == [
        {"status": "waiting", "limit": "500"},
        {"status": "waiting", "limit": "500", "cursor": "more"},
    ]


async def test_a_poll_that_finds_nothing_new_costs_no_answer():
    told = {"position": 7, "reset": False, "calls": [], "left": [], "agents": []}
    client, made = api(httpx.Response(200, json=told, headers={"ETag": 'W/"t"'}), httpx.Response(304))
    assert await client.changes(5) == await client.changes(7) == told
    assert made[1].headers["If-None-Match"] == 'W/"t"'


# Where to resume


def test_it_resumes_before_what_a_frame_that_overtook_another_told():
    resume = ResumePoint()
    resume.saw(10, at=0)  # subscribed
    resume.saw(30, at=10)  # the frame with 20 is still on its way
    assert resume.since() == 10  # however long ago that was: the line may have died right then
    resume.saw(40, at=15)
    assert resume.since() == 30
    resume.whole(50)
    assert resume.since() == 50


# The feed


class Server:
    """A Switchboard of one socket: says what it is told to, and keeps what it hears."""

    def __init__(self):
        self.heard: asyncio.Queue = asyncio.Queue()
        self.sockets: asyncio.Queue = asyncio.Queue()
        self.floor, self.position, self.reads, self.failures = [], 0, 0, 0

    async def socket(self, socket):
        self.sockets.put_nowait(socket)
        async for message in socket:
            self.heard.put_nowait(json.loads(message))

    def rest(self, request):
        if request.url.path.endswith("/api/agents"):
            return httpx.Response(200, json={"data": []})
        self.reads += 1
        if self.failures:
            self.failures -= 1
            return problem(500)
        return httpx.Response(200, json={"data": self.floor, "nextCursor": None, "position": self.position})

    async def subscribed(self, position=0, replayed=False):
        """The next connection, once it has asked; and what it asked for."""
        socket, asked = await self.sockets.get(), await self.heard.get()
        await say(socket, type="subscribed", topics=asked["topics"], position=position, replayed=replayed)
        return socket, asked


async def say(socket, **frame):
    await socket.send(json.dumps(frame))


@asynccontextmanager
async def following(**options):
    """A feed that follows a server, and its news."""
    server = Server()
    async with asyncio.timeout(10), serve(server.socket, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        client = Api("http://floor", "t", transport=httpx.MockTransport(server.rest))
        feed = Feed(client, f"ws://127.0.0.1:{port}/stage", "t", ["queue:q"], **options)
        async with client, aclosing(feed.news()) as news:
            yield server, feed, news


async def until(news, kind):
    return [item async for item in _up_to(news, kind)][-1]


async def _up_to(news, kind):
    async for item in news:
        yield item
        if item.kind == kind:
            return


async def test_it_subscribes_then_reads_the_snapshot_then_follows():
    async with following() as (server, feed, news):
        server.floor, server.position = [call("a", 2), {**call("foreign", 1), "queueId": "other"}], 7
        socket, asked = await both(server.subscribed(), until(news, "live"))
        assert asked == {"action": "subscribe", "topics": ["queue:q"]}
        assert "token=t" in socket.request.path
        assert feed.picture.calls == {"a": call("a", 2)} and feed.live.is_set()
        await say(socket, **update(call("a", 1), call("b", 1), position=9))
        assert [view["id"] for view in (await anext(news)).change.calls] == ["b"]
        assert feed.picture.position == 9


async def test_frames_that_overtake_the_snapshot_are_sorted_out():
    async with following() as (server, feed, news):
        server.floor = [call("a", 2), call("over", 1)]
        reading = asyncio.create_task(until(news, "update"))
        socket, _ = await server.subscribed()
        await say(socket, **update(call("a", 1), call("over", 2, "ended")))
        await reading
        assert feed.picture.calls == {"a": call("a", 2)}


async def test_cut_off_it_comes_back_and_resumes_from_its_position():
    async with following() as (server, feed, news):
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await say(socket, **update(call("a", 1), position=41))
        await until(news, "update")
        await socket.close()
        (_, asked) = await both(server.subscribed(position=42, replayed=True), until(news, "live"))
        assert asked["since"] == 0  # not 41, which may have overtaken an earlier one
        assert (server.reads, feed.connections) == (1, 2)
        assert feed.picture.calls == {"a": call("a", 1)}


async def test_what_was_not_replayed_is_read_from_the_snapshot():
    async with following() as (server, feed, news):
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await say(socket, **update(call("ended-meanwhile", 1), position=3))
        await until(news, "update")
        server.floor = [call("begun-meanwhile", 1)]
        await socket.close()
        await both(server.subscribed(replayed=False), until(news, "live"))
        assert set(feed.picture.calls) == {"begun-meanwhile"}


async def test_a_doubt_is_settled_by_another_snapshot():
    async with following() as (server, feed, news):
        server.position = 9
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await say(socket, **update(call("over", 1), position=8))
        await until(news, "snapshot")
        assert feed.picture.calls == {} and server.reads == 2


async def test_a_call_that_goes_on_beyond_the_topics_is_seen_to_leave():
    async with following() as (server, feed, news):
        server.floor = [call("a", 1)]
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await say(socket, **update(call("a", 2, queueId="foreign")))
        assert [view["queueId"] for view in (await anext(news)).change.calls] == ["foreign"]
        assert feed.picture.calls == {}


# The three classic failures of a snapshot and a feed, each with its safeguard and without it


async def gap_between_snapshot_and_subscription(server, feed, news):
    living = asyncio.create_task(until(news, "live"))
    socket, asked = await server.sockets.get(), await server.heard.get()
    server.floor = [call("between", 1)]  # told to nobody, for nobody was subscribed
    await say(socket, type="subscribed", topics=asked["topics"], position=5, replayed=False)
    await living
    assert set(feed.picture.calls) == {"between"}


async def recovery_that_fails_during_a_reload(server, feed, news):
    socket, _ = await both(server.subscribed(), until(news, "live"))
    server.floor, server.failures = [call("missed", 1)], 1
    await say(socket, type="reset", topics=["queue:q"], position=50)
    await until(news, "lost")
    await both(server.subscribed(position=50, replayed=True), until(news, "live"))
    assert set(feed.picture.calls) == {"missed"}


async def update_before_an_older_snapshot(server, feed, news):
    socket, _ = await both(server.subscribed(), until(news, "live"))
    await say(socket, **update(call("a", 3), position=9))
    await until(news, "update")
    server.floor, server.position = [call("a", 2)], 8
    await say(socket, type="reset", topics=["queue:q"], position=9)
    await until(news, "snapshot")
    assert feed.picture.calls == {"a": call("a", 3)}


def read_before_subscribing(monkeypatch):
    async def subscribe(feed, socket):
        await feed._read_snapshot({})
        await subscribe_only(feed, socket)

    async def heal(_, frame):
        return News("snapshot", frame=frame)

    subscribe_only = Feed._subscribe
    monkeypatch.setattr(Feed, "_subscribe", subscribe)
    monkeypatch.setattr(Feed, "_heal", heal)


def forget_the_gap(monkeypatch):
    monkeypatch.setattr(Feed, "_is_whole", property(lambda _: True, lambda *_: None), raising=False)


def overwrite(monkeypatch):
    monkeypatch.setattr(Picture, "_version_of", lambda *_: -1)


@pytest.mark.parametrize(
    ("failure", "take_safeguard_out"),
    [
        pytest.param(gap_between_snapshot_and_subscription, read_before_subscribing, id="gap"),
        pytest.param(recovery_that_fails_during_a_reload, forget_the_gap, id="failed recovery"),
        pytest.param(update_before_an_older_snapshot, overwrite, id="older snapshot"),
    ],
)
async def test_a_classic_failure_is_met_by_its_safeguard_and_by_nothing_else(failure, take_safeguard_out, monkeypatch):
    async with following() as stage:
        await failure(*stage)
    take_safeguard_out(monkeypatch)
    async with following() as stage:
        with pytest.raises(AssertionError):
            await failure(*stage)


async def test_the_example_of_the_readme_runs():
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example and len(example[1].splitlines()) <= 12
    server, printed = Server(), asyncio.Queue()
    server.floor = [call("a", 1)]

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


async def test_a_reset_reads_the_snapshot_again():
    async with following() as (server, feed, news):
        socket, _ = await both(server.subscribed(), until(news, "live"))
        server.floor, server.position = [call("a", 5)], 50
        await say(socket, type="reset", topics=["queue:q"], position=50)
        await until(news, "snapshot")
        assert feed.picture.calls == {"a": call("a", 5)} and feed.picture.position == 50


async def test_a_connection_that_falls_silent_is_replaced():
    async with following(silence_seconds=0.2) as (server, feed, news):
        await both(server.subscribed(), until(news, "live"))
        lost = await until(news, "lost")
        assert "silent" in lost.detail and not feed.live.is_set()
        await both(server.subscribed(replayed=True), until(news, "live"))


@pytest.mark.parametrize("words", ["", "<html>", "[]"], ids=["nothing", "html", "an array"])
async def test_a_frame_that_cannot_be_read_makes_it_begin_anew(words):
    async with following() as (server, _, news):
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await socket.send(words)
        assert "cannot be read" in (await until(news, "lost")).detail
        await both(server.subscribed(), until(news, "live"))


async def test_pings_keep_the_connection_alive(monkeypatch):
    monkeypatch.setattr("infra.client.feed.PING_SECONDS", 0.05)
    async with following() as (server, _, news):
        await both(server.subscribed(), until(news, "live"))
        asking = asyncio.create_task(anext(news))
        assert await server.heard.get() == {"action": "ping"}
        asking.cancel()
        await asyncio.wait([asking])


async def test_an_error_frame_is_told_and_harms_nothing():
    async with following() as (server, _, news):
        socket, _ = await both(server.subscribed(), until(news, "live"))
        await say(socket, type="error", problem={"status": 403, "title": "Not permitted", "detail": "queue:q"})
        assert (await anext(news)).detail == "403 Not permitted\n  queue:q"
        await say(socket, **update(call("a", 1)))
        assert (await anext(news)).kind == "update"


async def test_a_subscription_that_fails_for_an_outage_is_made_again():
    async with following() as (server, feed, news):
        losing = asyncio.create_task(until(news, "lost"))
        socket, _ = await server.sockets.get(), await server.heard.get()
        await say(socket, type="error", problem={"status": 503, "title": "Not available for the moment"})
        assert "503" in (await losing).detail
        await both(server.subscribed(), until(news, "live"))
        assert feed.connections == 2


async def test_a_subscription_that_is_not_permitted_ends_the_feed():
    async with following() as (server, _, news):
        losing = asyncio.create_task(until(news, "live"))
        socket, _ = await server.sockets.get(), await server.heard.get()
        await say(socket, type="error", problem={"status": 403, "title": "Not permitted", "detail": "queue:q"})
        with pytest.raises(Problem, match="queue:q"):
            await losing


async def test_a_subscription_that_nobody_answers_is_made_again():
    async with following(answer_seconds=0.1) as (server, _, news):
        assert "not subscribed" in (await until(news, "lost")).detail
        await server.sockets.get()
        await server.heard.get()
        await both(server.subscribed(), until(news, "live"))


@asynccontextmanager
async def refusing(*answers):
    """News of a feed whose handshake is refused with a 403, and whose REST gives these answers."""

    def refuse(connection, _):
        return connection.respond(403, "no")

    async with asyncio.timeout(10), serve(Server().socket, "127.0.0.1", 0, process_request=refuse) as listening:
        port = listening.sockets[0].getsockname()[1]
        client, _ = api(*answers)
        async with aclosing(Feed(client, f"ws://127.0.0.1:{port}", "t", ["queue:q"]).news()) as news:
            yield news


async def test_a_token_that_rest_refuses_too_ends_the_feed():
    async with refusing(problem(401, title="Not signed in", detail="The token has expired.")) as news:
        with pytest.raises(Problem, match="expired"):
            await anext(news)


async def test_a_handshake_refused_for_an_outage_is_tried_again():
    good = httpx.Response(200, json={"data": []})
    async with refusing(good, problem(503), good) as news:
        assert [(await anext(news)).kind, (await anext(news)).kind] == ["lost", "lost"]


async def test_where_sockets_are_refused_it_polls_for_what_changed(monkeypatch):
    monkeypatch.setattr("infra.client.feed.FIRST_PAUSE_SECONDS", 0.001)
    good = httpx.Response(200, json={"data": []})
    snapshot = httpx.Response(200, json={"data": [call("a", 1), call("b", 1)], "nextCursor": None, "position": 5})
    told = {"reset": False, "calls": [call("a", 2, "ended")], "left": [{"id": "b", "version": 2}], "agents": []}
    polled = httpx.Response(200, json={**told, "position": 9})
    async with refusing(good, good, good, snapshot, good, good, polled) as news:
        seen = [await anext(news) for _ in range(6)]
    assert [item.kind for item in seen] == ["lost", "lost", "lost", "snapshot", "lost", "polled"]
    assert [view["id"] for view in seen[-1].change.calls] == ["a"]


def test_a_poll_is_taken_by_version_and_a_call_that_left_is_gone():
    picture = Picture()
    picture.apply(update(call("a", 3), call("b", 5), position=4))
    picture.take_changes([call("a", 2), call("c", 1)], [{"id": "b", "version": 4}], [], 8)
    assert set(picture.calls) == {"a", "b", "c"} and picture.calls["a"]["version"] == 3
    picture.take_changes([], [{"id": "b", "version": 6}], [], 7)
    assert set(picture.calls) == {"a", "c"} and picture.position == 8


@given(st.permutations(VIEWS), st.lists(st.integers(0, len(VIEWS)), max_size=4))
def test_frames_and_polls_in_any_order_end_in_one_picture(views, places):
    picture = Picture()
    for number, view in enumerate(views):
        if number in places:
            picture.take_changes([LIVES["open"][-1], LIVES["over"][-1]], [], [], number)
        picture.apply(update(view, position=number))
    assert picture.calls == {"open": LIVES["open"][-1]}


async def both(one, other):
    """What the first gives, once both are done."""
    first, _ = await asyncio.gather(one, other)
    return first
