"""The relay between a recorder and many sockets. Postgres, Redis and the relay are real; the gateway is a stand-in.

An age is the time from the POST of an event until a recorded socket got that version of the call or a later one.
"""

import asyncio
import multiprocessing
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import Any

import aiohttp
import psutil
import psycopg

from bench import core
from bench.gateway import RECORDED, SLOW, Gateway, Report, gateway
from bench.harness import KEY, Figure, Servers, p99
from shared.adapters.auth import tokens
from shared.adapters.aws.connection_pool import HttpGateway
from shared.adapters.aws.connections import connection_url
from shared.usecases.feed.delivery import MAX_CONCURRENT_POSTS

QUEUES = 40
FRAME_BYTES = 19_000  # a frame of the backlog
LIFE_SECONDS, START_SECONDS, HAND_OVERS = 10.0, 3.0, 10
ENDED = "ended"


def measure(servers: Servers) -> Iterator[Figure]:
    with gateway() as stand_in:
        yield from _backlog(servers, stand_in)
        yield from _post_to_socket(servers, stand_in)
        yield _many_sockets_of_one_queue(servers, stand_in)
        yield _slow_neighbour(servers, stand_in)
        yield _memory(servers, stand_in)
        yield _hand_overs(servers, stand_in)


def _backlog(servers: Servers, stand_in: Gateway) -> Iterator[Figure]:
    """The relay's posts, compared with loops that only post. The second loop uses the relay's own HTTP client."""
    url = servers.new_database()
    servers.act_as_function(url)
    with closing(core.CoreMeasures(url, servers.redis.url, tokens.mint(KEY, role="admin"), stand_in)) as measures:
        slices = [measures.relay_posts(0) for _ in range(3)]
    rate, posts = statistics.median(each.items / each.seconds for each in slices), slices[0].items
    frame = b"x" * FRAME_BYTES

    def loop(post_all: Callable[[str, bytes, int], Coroutine[Any, Any, None]]) -> float:
        asyncio.run(post_all(stand_in.url, frame, posts))
        return stand_in.report().posts_per_second

    name = f"feed: posts of a backlog to {core.BACKLOG_SOCKETS:,} sockets"
    yield Figure(name, rate, "/s", loop(_post_with_aiohttp), f"a loop with aiohttp, {FRAME_BYTES:,} bytes each")
    yield Figure("the same", rate, "/s", loop(_post_with_own_client), "a loop with the relay's client")


async def _post_with_aiohttp(url: str, frame: bytes, posts: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(number: int) -> None:
            async with session.post(
                connection_url(url, f"other-{number % core.BACKLOG_SOCKETS}"), data=frame
            ) as response:
                await response.read()

        await _post_concurrently(post, posts)


async def _post_with_own_client(url: str, frame: bytes, posts: int) -> None:
    async with HttpGateway(url) as client:
        await _post_concurrently(lambda number: client.post(f"other-{number % core.BACKLOG_SOCKETS}", frame), posts)


async def _post_concurrently(post: Callable[[int], Awaitable[object]], posts: int) -> None:
    numbers = iter(range(posts))

    async def post_some() -> None:
        for number in numbers:
            await post(number)

    await asyncio.gather(*(post_some() for _ in range(MAX_CONCURRENT_POSTS)))


def _post_to_socket(servers: Servers, stand_in: Gateway) -> Iterator[Figure]:
    recorder = Recorder(servers, stand_in, queues=QUEUES, calls=400)
    recorder.listen(100)
    ages = _ages(recorder, lambda: recorder.send(100, 10))
    name = f"feed: POST to socket, 100 events/s, 100 sockets, {QUEUES} queues"
    yield Figure(f"{name}, p50", statistics.median(ages), "ms", 5, "the target")
    yield Figure(f"{name}, p99", p99(ages), "ms", 30, "the target")


def _many_sockets_of_one_queue(servers: Servers, stand_in: Gateway) -> Figure:
    recorder = Recorder(servers, stand_in, queues=1, calls=30)
    recorder.listen(1000, recorded_of=50)
    ages = _ages(recorder, lambda: recorder.send(500, 20, batch=5))
    return Figure("feed: 1,000 sockets of one queue, 500 events/s: age p99", p99(ages), "ms", 2000, "the target")


def _slow_neighbour(servers: Servers, stand_in: Gateway) -> Figure:
    """Three runs without the slow socket and three with it, in turn."""
    runs: dict[bool, list[float]] = {False: [], True: []}
    for is_slow in (False, True) * 3:
        recorder = Recorder(servers, stand_in, queues=1, calls=30)
        recorder.listen(199)
        if is_slow:
            recorder.add_slow_socket()
        ages = _ages(recorder, lambda recorder=recorder: recorder.send(20, 5), until_empty=not is_slow)
        runs[is_slow].append(statistics.median(ages))
    with_it, without = statistics.median(runs[True]), statistics.median(runs[False])
    return Figure("feed: 199 sockets beside a slow one, p50", with_it, "ms", without, "without the slow one")


def _memory(servers: Servers, stand_in: Gateway) -> Figure:
    recorder = Recorder(servers, stand_in, queues=QUEUES, calls=400)
    recorder.listen(10_000, recorded_of=20_000)
    peak = 0
    with recorder.relay() as (process,):
        for number in range(50):
            recorder.hold(number * QUEUES, QUEUES)  # an event of each queue, so that every socket gets a frame
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        core.await_empty_outbox(recorder.url)
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)
    return Figure("feed: a relay for 10,000 sockets, memory", peak / 2**20, "MB", 256, "the target")


def _hand_overs(servers: Servers, stand_in: Gateway) -> Figure:
    """Short-lived relays, one after the other."""
    recorder = Recorder(servers, stand_in, queues=QUEUES, calls=400)
    recorder.listen(100)
    seconds = HAND_OVERS * (LIFE_SECONDS + START_SECONDS)
    with recorder.relay(LIFE_SECONDS) as started:
        stand_in.report()
        recorder.send(50, seconds)
        core.await_empty_outbox(recorder.url)
    ages = recorder.ages(stand_in.report())
    note = f"{len(started) - 1} hand-overs, p50 {statistics.median(ages):.1f} ms, p99 {p99(ages):.0f} ms"
    name = f"feed: relays replaced every {LIFE_SECONDS:.0f} s for {seconds:.0f} s: oldest update"
    return Figure(name, max(ages), "ms", 1000, "the target", note)


def _ages(recorder: "Recorder", work: Callable[[], None], *, until_empty: bool = True) -> list[float]:
    """The ages in ms of all versions that `work` recorded."""
    with recorder.relay():
        recorder.hold(0, 1)
        core.await_empty_outbox(recorder.url)
        recorder.posted_at.clear()
        recorder.gateway.report()
        work()
        if until_empty:
            core.await_empty_outbox(recorder.url)
        else:
            time.sleep(1)
    return recorder.ages(recorder.gateway.report())


class Recorder:
    """Posts events through the handler on a database of its own. The calls go on hold as long as events are sent."""

    def __init__(self, servers: Servers, stand_in: Gateway, queues: int, calls: int) -> None:
        self.gateway = stand_in
        self.url = servers.new_database()
        self.posted_at: dict[tuple[str, int], float] = {}
        """By call id and version: monotonic seconds before the POST."""
        self._redis_url = servers.redis.url
        self._queues = [f"q{number}" for number in range(queues)]
        self._calls = calls
        self._token = tokens.mint(KEY, role="admin")
        servers.act_as_function(self.url)
        for queue in self._queues:
            self._execute("insert into queues (id, name) values (%s, %s)", [queue, queue])
        for number in range(calls):
            call = {"callId": f"call-{number}"}
            self._post([
                {"event": "call_initiated", "type": "voice", "queueId": self._queues[number % queues], **call},
                {"event": "call_routed", "agentId": f"agent-{number}", "routingTime": 1, **call},
                {"event": "call_answered", "waitTime": 1, **call},
            ])  # fmt: skip
        self._execute("delete from outbox")

    def listen(self, sockets: int, recorded_of: int = 1) -> None:
        core.add_listeners(self.url, sockets, self._queues, recorded_of)

    def add_slow_socket(self) -> None:
        self._execute(
            "insert into connections (id, role, queues, connected_at, expires_at) values "
            "(%s, 'supervisor', '{*}', now(), now() + interval '2 h')",
            [SLOW],
        )
        self._execute("insert into subscriptions (topic, connection_id) values ('queue:q0', %s)", [SLOW])

    def hold(self, first: int, count: int) -> None:
        """Change `count` calls, one after the other."""
        calls = [f"call-{number % self._calls}" for number in range(first, first + count)]
        began = time.monotonic()
        for result in self._post([{"event": "call_hold", "callId": call, "holdDuration": 1} for call in calls]):
            self.posted_at.setdefault((result["callId"], result["call"]["version"]), began)

    def send(self, events_per_second: int, seconds: float, batch: int = 1) -> None:
        """At an even pace. Fails if this machine is too slow for it."""
        began = time.monotonic()
        for sent in range(0, int(events_per_second * seconds), batch):
            time.sleep(max(0.0, began + sent / events_per_second - time.monotonic()))
            self.hold(sent, batch)
        late = time.monotonic() - began - seconds
        assert late < max(1, seconds / 10), f"the recorder is {late:.1f} s late: this machine is too busy to measure"

    @contextmanager
    def relay(self, seconds: float = 3600) -> Iterator[list[Any]]:
        """A relay in its own process, and its successors. Yields the processes that were started so far."""
        spawn = multiprocessing.get_context("spawn")
        successors = spawn.SimpleQueue()
        environment = core.relay_environment(self.url, self._redis_url, self.gateway.url, seconds)
        started: list[Any] = []

        def start() -> None:
            while (fencing_token := successors.get()) != ENDED:
                process = spawn.Process(
                    target=core.run_relay, args=[environment, successors, fencing_token], daemon=True
                )
                process.start()
                started.append(process)

        starting = threading.Thread(target=start)
        starting.start()
        successors.put(None)
        try:
            core.await_true(self.url, "select exists (select from leases where expires_at > now())")
            yield started
        finally:
            successors.put(ENDED)
            starting.join()
            for process in started:
                process.kill()
                process.join()

    def ages(self, report: Report) -> list[float]:
        """In ms, for each version and recorded socket, until the socket got that version or a later one."""
        versions: dict[str, list[int]] = {}
        for call_id, version in sorted(self.posted_at):
            versions.setdefault(call_id, []).append(version)
        ages: list[float] = []
        for connection_id, frames in report.frames.items():
            assert connection_id.startswith(RECORDED)
            known: dict[str, int] = {}
            for at, calls in frames:
                for call_id, version in calls.items():
                    posted = versions.get(call_id, [])
                    new = posted[bisect_left(posted, known.get(call_id, 0) + 1) : bisect_left(posted, version + 1)]
                    ages += [(at - self.posted_at[call_id, each]) * 1000 for each in new]
                    known[call_id] = max(known.get(call_id, 0), version)
        return ages

    def _post(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return core.post_events(self._token, events)["results"]

    def _execute(self, query: str, parameters: Any = None) -> None:  # noqa: ANN401 - this module's own text
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(query, parameters)  # type: ignore[arg-type]
