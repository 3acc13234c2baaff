"""Clients that read slowly, or are gone, on the local cloud do not affect other clients."""

import asyncio
import itertools
import json
import select
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from infra import aws
from infra.client import Api, Feed
from tests.support.cloud import Cloud, Json
from tests.support.waiting import WAIT_SECONDS, wait_for

AT_ONCE = 20
SMALL_BUFFER_BYTES = 2048
NOISE = {"note": "x" * 3000}
FRAME = b'{"type": "update"}' + b" " * 30_000


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
        """Send the messages, read the answers slowly, and read nothing else."""
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
    """A client that is not reloaded by hand."""

    def __init__(self, cloud: Cloud, api: Api, topics: Sequence[str]) -> None:
        self._cloud, self._topics = cloud, topics
        self.feed = Feed(api, cloud.status["websocket"], cloud.status["token"], topics)
        self._news = asyncio.Event()

    async def follow(self) -> None:
        async with aclosing(self.feed.updates()) as updates:
            async for _ in updates:
                self._news.set()

    async def converge(self) -> None:
        queues = [topic.removeprefix("queue:") for topic in self._topics]
        while self.feed.replica.calls != await asyncio.to_thread(self._cloud.live_calls, *queues):
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


@contextmanager
def registry(cloud: Cloud) -> Iterator[Callable[..., list]]:
    with psycopg.connect(cloud.status["database"], autocommit=True) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()  # type: ignore[call-overload]


LISTED = "select connection_id from subscriptions where topic = %s"


def send(cloud: Cloud, *events: Json) -> None:
    named = [{"eventId": uuid.uuid4().hex, **event} for event in events]
    answer = cloud.http.post("/api/events", json=named)
    assert {result["status"] for result in answer.json()["results"]} == {201}, answer.text


@pytest.mark.parametrize(
    ("others", "is_filled"),
    [(9, True), pytest.param(199, False, marks=pytest.mark.deep)],
    ids=["beside 9", "beside 199"],
)
def test_a_slow_reader_does_not_delay_the_others(cloud: Cloud, others: int, is_filled: bool) -> None:
    """It is disconnected and sees that by its socket's end; it comes back, and all end with what REST says.

    `is_filled`: what lies between it and the relay is full already, so that fewer events do.
    """
    busy_queue, noisy_queue = cloud.new_queue(), cloud.new_queue()
    noisy, busy = [[cloud.new_call_id() for _ in range(10)] for _ in range(2)]
    both = [f"queue:{queue}" for queue in (busy_queue, noisy_queue)]

    async def play() -> None:
        async with asyncio.timeout(WAIT_SECONDS), following(cloud, others, f"queue:{busy_queue}") as followers:
            with Trickle(cloud, *both) as slow:
                await asyncio.to_thread(make_noise, slow)
                for follower in followers:
                    await follower.converge()
            async with following(cloud, 1, *both) as (back,):
                await back.converge()
                assert set(noisy) | set(busy) <= set(back.feed.replica.calls)

    def make_noise(slow: Trickle) -> None:
        """Until it is disconnected: much for it alone, and a little for all."""
        begin(cloud, noisy_queue, *noisy)
        for call_id in noisy:
            send(cloud, {"event": "call_routed", "callId": call_id, "agentId": f"agent-{call_id}", "routingTime": 1})
            send(cloud, {"event": "call_answered", "callId": call_id, "waitTime": 1})
        ((connection_id,),) = ask(LISTED, f"queue:{noisy_queue}")
        while is_filled and post(cloud, connection_id) == 200:
            pass
        waiting = iter(busy)
        while not slow.ended.is_set():
            send(cloud, *({"event": "call_hold", "callId": i, "holdDuration": 1, "metadata": NOISE} for i in noisy))
            begin(cloud, busy_queue, *itertools.islice(waiting, 1))
        begin(cloud, busy_queue, *waiting)
        wait_for(lambda: ask(LISTED, f"queue:{noisy_queue}") == [], "it is listed no more")

    with registry(cloud) as ask:
        asyncio.run(play())
    send(cloud, *({"event": "call_ended", "callId": i, "endReason": "failed", "duration": 0} for i in noisy + busy))


def begin(cloud: Cloud, queue_id: str, *call_ids: str) -> None:
    for call_id in call_ids:
        send(cloud, {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": queue_id})


def test_a_client_that_reads_nothing_is_disconnected(cloud: Cloud) -> None:
    topic = f"call:{cloud.new_call_id()}"
    with registry(cloud) as ask, Trickle(cloud, topic) as slow:
        ((connection_id,),) = ask(LISTED, topic)
        statuses = []
        while not slow.ended.is_set():
            statuses.append(post(cloud, connection_id))
            assert statuses[-1] in (200, 429, 410), "the gateway takes posts of this client until it is cut off"
            if statuses[-1] == 429:
                slow.ended.wait(0.05)
        assert set(statuses) >= {200, 429}
        assert statuses.count(200) * len(FRAME) < 16 * 2**20
        wait_for(lambda: post(cloud, connection_id) == 410, "it is gone")
        wait_for(lambda: ask(LISTED, topic) == [], "it is listed no more")


def post(cloud: Cloud, connection_id: str) -> int:
    """Post a frame as the relay does. Returns the gateway's status."""
    try:
        answer = gateway_of(
            cloud.status["websocket"], tuple(cloud.status["aws_credentials"].items())
        ).post_to_connection(ConnectionId=connection_id, Data=FRAME)
    except ClientError as refused:
        answer = refused.response
    return answer["ResponseMetadata"]["HTTPStatusCode"]


@cache
def gateway_of(websocket: str, credentials: tuple[tuple[str, str], ...]) -> Any:
    """One client for all posts: to make one takes longer than a post."""
    once = Config(retries={"total_max_attempts": 1})
    base = websocket.replace("ws://", "http://")
    return aws.client("apigatewaymanagementapi", "us-east-1", base, dict(credentials), once)


def test_the_relay_removes_a_silently_lost_connection(cloud: Cloud) -> None:
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
        assert post(cloud, connection_id) == 410
        cloud.post("call_initiated", call_id, type="voice", queueId=cloud.new_queue())
        wait_for(lambda: ask(LISTED, topic) == [], "its subscription is struck off")
        assert ask("select from connections where id = %s", connection_id) == []
    cloud.end_calls(call_id)
