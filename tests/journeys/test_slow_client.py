"""Clients that read hardly anything, or are gone, on the local cloud: nobody else notices, and none is left alone."""

import asyncio
import json
import select
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
import psycopg
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from infra.client import Api, Feed
from tests.journeys.test_faults import wait_for
from tests.support.cloud import Cloud, Json

OTHERS, AT_ONCE = 199, 20
SMALL_BUFFER_BYTES = 2048
BUSY, NOISY = "medical_spanish", "legal_english"
NOISE = {"note": "x" * 3000}
FRAME = b'{"type": "update"}' + b" " * 30_000
PATIENCE_SECONDS = 300  # far beyond what it takes: a loaded machine must not fail what is right


class Trickle:
    """A WebSocket client that reads a byte a second: no library reads ahead for it, and its buffer is the smallest."""

    def __init__(self, cloud: Cloud, *topics: str) -> None:
        address = f"{cloud.status['websocket']}?{urlencode({'token': cloud.status['token']})}"
        self._protocol = ClientProtocol(parse_uri(address))
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        self._socket.connect((urlsplit(address).hostname, urlsplit(address).port))
        self._protocol.send_request(self._protocol.connect())
        self._exchange()
        self._protocol.send_text(json.dumps({"action": "subscribe", "topics": topics}).encode())
        (frame,) = self._exchange()
        self.first = json.loads(frame.data)
        self._stopped, self.ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._trickle, daemon=True)

    def _exchange(self) -> list:
        """Say what is to be said, and read the answer at leisure, and nothing beyond it."""
        for data in self._protocol.data_to_send():
            self._socket.sendall(data)
        while not (events := self._protocol.events_received()):
            self._protocol.receive_data(self._socket.recv(1))
        return events

    def _trickle(self) -> None:
        """Until it is cut off, which a socket tells beside what it has not read yet."""
        signs = select.poll()
        signs.register(self._socket, select.POLLHUP | select.POLLERR)
        while not self._stopped.wait(1):
            if signs.poll(0):
                self.ended.set()
                return
            self._socket.recv(1)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # in case it waits for its next byte
        self._thread.join()
        self._socket.close()


class Follower:
    """A client as people have it, which nobody reloads by hand."""

    def __init__(self, cloud: Cloud, api: Api, topics: Sequence[str]) -> None:
        self._cloud, self._topics = cloud, topics
        self.feed = Feed(api, cloud.status["websocket"], cloud.status["token"], topics)
        self._news = asyncio.Event()

    async def follow(self) -> None:
        async with aclosing(self.feed.news()) as news:
            async for _ in news:
                self._news.set()

    async def converge(self) -> None:
        while self.feed.picture.calls != await asyncio.to_thread(live_calls, self._cloud, self._topics):
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 1)


@asynccontextmanager
async def following(cloud: Cloud, many: int, *topics: str) -> AsyncIterator[list[Follower]]:
    """So many clients, each live."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with Api(cloud.status["api"], cloud.status["token"]) as api:
        followers = [Follower(cloud, api, topics) for _ in range(many)]
        tasks: list[asyncio.Task] = []

        async def begin(follower: Follower) -> None:
            async with turns:
                tasks.append(asyncio.create_task(follower.follow()))
                await follower.feed.live.wait()

        try:
            await asyncio.gather(*map(begin, followers))
            yield followers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def live_calls(cloud: Cloud, topics: Sequence[str]) -> dict[str, Json]:
    return {call_id: call for call_id, call in cloud.live_calls().items() if f"queue:{call['queueId']}" in topics}


@contextmanager
def registry(cloud: Cloud) -> Iterator[Callable[..., list]]:
    with psycopg.connect(cloud.status["database"], autocommit=True) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()  # type: ignore[call-overload]


LISTED = "select connection_id from subscriptions where topic = %s"


def send(cloud: Cloud, *events: Json) -> None:
    named = [{"eventId": uuid.uuid4().hex, **event} for event in events]
    answer = cloud.http.post(f"{cloud.status['api']}/api/events", json=named)
    assert {result["status"] for result in answer.json()["results"]} == {201}, answer.text


def test_a_client_reads_a_byte_a_second_beside_199_that_read_at_once(cloud: Cloud) -> None:
    """It is put out and told so by its socket's end; it comes back, and all two hundred end with what REST says."""
    noisy, busy = [[cloud.new_call_id() for _ in range(10)] for _ in range(2)]

    async def play() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), following(cloud, OTHERS, f"queue:{BUSY}") as others:
            with Trickle(cloud, f"queue:{BUSY}", f"queue:{NOISY}") as slow:
                await asyncio.to_thread(make_noise, slow)
                for follower in others:
                    await follower.converge()
            async with following(cloud, 1, f"queue:{BUSY}", f"queue:{NOISY}") as (back,):
                await back.converge()
                assert set(noisy) | set(busy) <= set(back.feed.picture.calls)

    def make_noise(slow: Trickle) -> None:
        """Until it is put out: much for it alone, and a little for all."""
        for call_id in noisy:
            send(cloud, {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": NOISY})
            send(cloud, {"event": "call_routed", "callId": call_id, "agentId": f"agent-{call_id}", "routingTime": 1})
            send(cloud, {"event": "call_answered", "callId": call_id, "waitTime": 1})
        waiting = iter(busy)
        while not slow.ended.is_set():
            send(cloud, *({"event": "call_hold", "callId": i, "holdDuration": 1, "metadata": NOISE} for i in noisy))
            if call_id := next(waiting, None):
                send(cloud, {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": BUSY})
        assert len(list(waiting)) == 0
        wait_for(lambda: ask(LISTED, f"queue:{NOISY}") == [], "it is listed no more")

    with registry(cloud) as ask:
        asyncio.run(play())
    send(cloud, *({"event": "call_ended", "callId": i, "endReason": "failed", "duration": 0} for i in noisy + busy))


def test_what_a_client_does_not_read_is_refused_like_api_gateway_does_and_then_it_is_cut_off(cloud: Cloud) -> None:
    topic = f"call:{cloud.new_call_id()}"
    with registry(cloud) as ask, Trickle(cloud, topic) as slow:
        ((connection_id,),) = ask(LISTED, topic)
        statuses = []
        while not slow.ended.is_set():
            statuses.append(post(cloud, connection_id).status_code)
        assert set(statuses) >= {200, 429}
        assert statuses.count(200) * len(FRAME) < 16 * 2**20
        wait_for(lambda: post(cloud, connection_id).status_code == 410, "it is gone")
        wait_for(lambda: ask(LISTED, topic) == [], "it is listed no more")


def post(cloud: Cloud, connection_id: str) -> httpx.Response:
    base = cloud.status["websocket"].replace("ws://", "http://")
    return cloud.http.post(f"{base}/@connections/{quote(connection_id, safe='')}", content=FRAME)


def test_a_connection_that_is_gone_without_a_word_is_struck_off_by_the_relay(cloud: Cloud) -> None:
    """As when `$disconnect` is lost, which API Gateway promises to try and no more."""
    call_id = cloud.new_call_id()
    topic = f"call:{call_id}"
    with registry(cloud) as ask:
        with cloud.socket(topic):
            ((connection_id,),) = ask(LISTED, topic)
            row = ask("select to_jsonb(connections) from connections where id = %s", connection_id)[0][0]
        wait_for(lambda: ask(LISTED, topic) == [], "$disconnect has struck it off")
        restore = "insert into connections select * from jsonb_populate_record(null::connections, %s) returning id"
        assert ask(restore, json.dumps(row)) == [(connection_id,)]
        ask("insert into subscriptions (topic, connection_id) values (%s, %s) returning topic", topic, connection_id)
        assert post(cloud, connection_id).status_code == 410
        cloud.post("call_initiated", call_id, type="voice", queueId=BUSY)
        wait_for(lambda: ask(LISTED, topic) == [], "its subscription is struck off")
        assert ask("select from connections where id = %s", connection_id) == []
    cloud.post("call_ended", call_id, endReason="failed", duration=0)
