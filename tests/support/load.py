"""Senders who know what they sent, and a client that follows: what every fault is judged by."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from infra.client import Api, Feed
from tests.support.cloud import Cloud, Json

SENDERS = 2
PAUSE_SECONDS = 0.1  # after each call of a sender: a fault needs calls that are under way, not a full machine
SIGNAL_SECONDS = 120.0
ACCEPTED = (200, 201, 202)
OPEN_EVERY = 4  # so many calls a sender ends all but one: the floor is not empty when pictures are compared


@dataclass
class Load:
    """Sends calls until it is stopped. Each event is repeated until it is accepted."""

    cloud: Cloud
    queues: list[str]
    skew: timedelta = timedelta()
    sent: dict[str, list[str]] = field(default_factory=dict)  # event ids by call
    still_open: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    repeats: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lived: threading.Condition = field(default_factory=threading.Condition)

    def live_on(self, calls: int) -> None:
        """Return when so many more calls have been lived."""
        with self._lived:
            target = len(self.sent) + calls
            assert self._lived.wait_for(lambda: len(self.sent) >= target or self.refused, SIGNAL_SECONDS), self.refused

    def stop(self) -> None:
        self._stopping.set()

    def send_lives(self) -> None:
        """One sender's calls, one after the other, until `stop`."""
        agent_id = self.cloud.new_call_id().replace("call", "sender")
        with httpx.Client(headers=self.cloud.http.headers, timeout=30, trust_env=False) as http:
            for number in itertools.count():
                if self._stopping.is_set():
                    return
                queue_id = self.queues[number % len(self.queues)]
                self._live(http, life(self.cloud.new_call_id(), agent_id, queue_id, ends=number % OPEN_EVERY != 0))
                self._stopping.wait(PAUSE_SECONDS)

    def _live(self, http: httpx.Client, events: list[Json]) -> None:
        call_id = events[0]["callId"]
        ids: list[str] = []
        for event in events:
            moment = datetime.now(UTC) + self.skew  # the sender's own clock
            ids.append(f"{call_id}.{event['event']}")
            self._send(http, event | {"eventId": ids[-1], "occurredAt": moment.isoformat()})
        with self._lived:
            self.sent[call_id] = ids
            if events[-1]["event"] != "call_ended":
                self.still_open.append(call_id)
            self._lived.notify_all()

    def _send(self, http: httpx.Client, event: Json) -> None:
        give_up_at = time.monotonic() + SIGNAL_SECONDS
        while True:
            try:
                answer = http.post(f"{self.cloud.status['api']}/api/events", json=event)
                if answer.status_code in ACCEPTED:
                    return
                outcome = f"{answer.status_code} {answer.text}"
            except httpx.TransportError as error:
                answer, outcome = None, repr(error)
            if (answer and answer.status_code < 500 and answer.status_code != 429) or time.monotonic() > give_up_at:
                self.refused.append(f"{event}: {outcome}")
                return
            self.repeats += 1
            self._stopping.wait(0.1)


def life(call_id: str, agent_id: str, queue_id: str, *, ends: bool = True) -> list[Json]:
    steps: list[Json] = [
        {"event": "call_initiated", "type": "voice", "queueId": queue_id},
        {"event": "call_routed", "agentId": agent_id, "routingTime": 1},
        {"event": "call_answered", "waitTime": 2},
        {"event": "call_hold", "holdDuration": 3},
        {"event": "call_ended", "endReason": "completed", "duration": 30},
    ]
    return [step | {"callId": call_id} for step in steps[: None if ends else -1]]


class Follower:
    """A client on a socket, in a thread of its own. It is not reloaded by hand."""

    def __init__(self, cloud: Cloud, queues: list[str]) -> None:
        self._cloud, self._queues = cloud, queues
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True)

    async def _follow(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        status = self._cloud.status
        async with Api(status["api"], status["token"], retry_seconds=SIGNAL_SECONDS) as api:
            topics = [f"queue:{queue}" for queue in self._queues]
            self.feed = Feed(api, status["websocket"], status["token"], topics)
            following = asyncio.create_task(self._take_news())
            await self._stopped.wait()
            following.cancel()
            await asyncio.wait([following])  # it closes its socket

    async def _take_news(self) -> None:
        async with aclosing(self.feed.updates()) as updates:
            async for item in updates:
                if item.kind == "live":
                    self._ready.set()
                with self._changed:
                    self._changed.notify_all()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(SIGNAL_SECONDS), "subscribed"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(SIGNAL_SECONDS)

    def converge(self) -> None:
        """Wait until the replica is what REST says; nothing but the feed may bring it there."""
        deadline = time.monotonic() + SIGNAL_SECONDS
        with self._changed:
            while (shown := dict(self.feed.replica.calls)) != (live := self._cloud.live_calls(*self._queues)):
                assert time.monotonic() < deadline, _difference(shown, live)
                self._changed.wait(1)


def _difference(shown: dict[str, Json], live: dict[str, Json]) -> dict[str, tuple[Json | None, Json | None]]:
    keys = shown.keys() | live.keys()
    return {key: (shown.get(key), live.get(key)) for key in keys if shown.get(key) != live.get(key)}


@contextmanager
def loaded(cloud: Cloud, skew: timedelta = timedelta()) -> Iterator[Load]:
    """Load while the fault happens inside; then everything sent must be on record once, and the client agree."""
    queues = [cloud.new_queue() for _ in range(2)]
    load, follower = Load(cloud, queues, skew), Follower(cloud, queues)
    senders = [threading.Thread(target=load.send_lives, daemon=True) for _ in range(SENDERS)]
    follower.start()
    try:
        for sender in senders:
            sender.start()
        load.live_on(SENDERS)
        yield load
        load.live_on(SENDERS)
        load.stop()
        for sender in senders:
            sender.join(SIGNAL_SECONDS)
        assert load.refused == []
        assert_recorded_once(cloud, load)
        follower.converge()
    finally:
        load.stop()
        follower.stop()
        cloud.end_calls(*load.still_open)


def assert_recorded_once(cloud: Cloud, load: Load) -> None:
    for call_id, ids in load.sent.items():
        history = cloud.get(f"/api/calls/{call_id}/events", limit=500)["data"]
        assert sorted(event["id"] for event in history if event["source"] == "telephony") == sorted(ids), call_id
        call = cloud.get(f"/api/calls/{call_id}")
        assert call["status"] == ("on_hold" if call_id in load.still_open else "ended"), call
