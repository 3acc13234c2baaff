"""The relay between a recorder and many sockets: python -m bench.feed measures it alone, beside a bare loop of posts.

Postgres, Redis and the relay are the real ones, the relay in a process of its own as a function has it; the gateway is
a stand-in (bench/gateway.py says why). Ages are of each version of each call, from its commit, as the recorder learns
of it, until a socket heard was told it or a later one.
"""

import asyncio
import multiprocessing
import os
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import psutil
import psycopg

from bench.gateway import SLOW, Gateway, Report, gateway
from bench.stage import Figure, Stage
from shared import wiring
from shared.adapters import clock
from shared.adapters.connections import address
from shared.adapters.gateway import HttpGateway
from shared.adapters.ids import new_id, new_ids
from shared.adapters.postgres.agents import PostgresAgents
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.ledger import PostgresJournal
from shared.adapters.redis_announcer import RedisAnnouncer
from shared.usecases.delivery import POSTS_AT_ONCE
from shared.usecases.news import News
from shared.usecases.relay import DRAIN_AT_ONCE
from shared.usecases.submit import Desk, submit

QUEUES, RECORDERS, BACKLOG_SOCKETS = 40, 4, 4000
LIFE_SECONDS, START_SECONDS, HAND_OVERS = 10.0, 3.0, 10
OVER = "over"
ALIVE = "select exists (select from leases where expires_at > now())"
LISTENERS = """
insert into connections (id, role, queues, connected_at, expires_at)
select case when n %% %(heard_of)s = 0 then 'heard-' else 'deaf-' end || n, 'supervisor', '{*}', now(),
    now() + interval '2 hours'
from generate_series(0, %(many)s - 1) n;
insert into subscriptions (topic, connection_id)
select 'queue:q' || split_part(id, '-', 2)::int %% %(queues)s, id from connections
"""


class Commits:
    """An announcer that writes down when each version of a call was committed, and passes the news on."""

    def __init__(self, announcer: RedisAnnouncer) -> None:
        self._announcer = announcer
        self.at: dict[tuple[str, int], float] = {}

    def announce(self, news: News) -> None:
        now = time.monotonic()
        for change in news.changes:
            self.at.setdefault((change.call.id, change.call.version), now)
        self._announcer.announce(news)

    def announce_all(self, several: Sequence[News]) -> None:
        for news in several:
            self.announce(news)


class Floor:
    """A recorder and its listeners; `calls` of each queue go on and off hold for as long as somebody sends."""

    def __init__(self, stage: Stage, taking: Gateway, queues: int, calls: int) -> None:
        self.stage, self.gateway, self.queues, self.calls = stage, taking, queues, calls
        self.url = stage.database()
        self.commits = Commits(RedisAnnouncer(stage.redis.url, 1, lambda _: None))
        self._desks = [self._desk() for _ in range(RECORDERS)]
        for queue in range(queues):
            self._execute("insert into queues (id, name) values (%s, %s)", [f"q{queue}", f"q{queue}"])
        for number in range(calls):
            self._begin(number)
        self._execute("delete from outbox")
        self.commits.at.clear()

    def _desk(self) -> Desk:
        database = Database(self.url)
        return Desk(PostgresJournal(database), PostgresAgents(database), self.commits, new_ids, timedelta(seconds=60))

    def _execute(self, query: Any, parameters: Any = None) -> Any:  # noqa: ANN401 - this module's own text
        with psycopg.connect(self.url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchone() if cursor.description else None

    def _begin(self, number: int) -> None:
        call = {"callId": f"call-{number}"}
        self.record(
            {"event": "call_initiated", "type": "voice", "queueId": f"q{number % self.queues}", **call},
            {"event": "call_routed", "agentId": f"agent-{number}", "routingTime": 1, **call},
            {"event": "call_answered", "waitTime": 1, **call},
        )

    def listen(self, many: int, heard_of: int = 1) -> None:
        """Each to one queue in turn; one of so many is heard."""
        self._execute(LISTENERS, {"many": many, "heard_of": heard_of, "queues": self.queues})

    def slow_down(self, queue: int) -> None:
        self._execute(
            "insert into connections values ('slow', 'supervisor', '{*}', now(), now() + interval '2 h');"
            "insert into subscriptions (topic, connection_id) values (%s, 'slow')", [f"queue:q{queue}"]
        )  # fmt: skip

    def record(self, *events: dict[str, Any], recorder: int = 0) -> None:
        results = submit(self._desks[recorder], [{"eventId": new_id(), **event} for event in events], clock.now())
        assert {result.status for result in results} == {201}, results

    def hold(self, first: int, many: int, recorder: int = 0) -> None:
        """So many calls change, the one after the other."""
        calls = [f"call-{number % self.calls}" for number in range(first, first + many)]
        self.record(*({"event": "call_hold", "callId": call, "holdDuration": 1} for call in calls), recorder=recorder)

    def send(self, per_second: int, seconds: float, batch: int = 1) -> None:
        """At an even pace, by a few recorders in turn; where they fall behind they say so."""
        begun = time.monotonic()

        def send_every(recorder: int) -> None:
            for sent in range(recorder * batch, int(per_second * seconds), RECORDERS * batch):
                time.sleep(max(0.0, begun + sent / per_second - time.monotonic()))
                self.hold(sent, batch, recorder)

        with ThreadPoolExecutor(RECORDERS) as pool:
            list(pool.map(send_every, range(RECORDERS)))
        late = time.monotonic() - begun - seconds
        assert late < 1, f"the recorders themselves are {late:.1f} s late: this machine is too busy to measure"

    def until(self, holds: Any, patience_seconds: float = 60) -> None:  # noqa: ANN401 - this module's own text
        deadline = time.monotonic() + patience_seconds
        while not self._execute(holds)[0]:
            assert time.monotonic() < deadline, holds
            time.sleep(0.02)

    def until_told(self) -> None:
        self.until("select not exists (select from outbox)")

    @contextmanager
    def relay(self, seconds: float = 3600) -> Iterator[list[Any]]:
        """A relay in a process of its own, and after so long its successors, each started when it is called for."""
        spawn = multiprocessing.get_context("spawn")
        calls = spawn.SimpleQueue()
        variables = {"DATABASE_URL": self.url, "REDIS_URL": self.stage.redis.url, "CONNECTIONS_URL": self.gateway.url,
                     "AWS_ENDPOINT_URL": "emulated", "LOG_LEVEL": "ERROR"}  # fmt: skip
        started: list[Any] = []

        def start() -> None:
            while (after := calls.get()) != OVER:
                process = spawn.Process(target=_relay, args=[variables, calls, seconds, after], daemon=True)
                process.start()
                started.append(process)

        starting = threading.Thread(target=start)
        starting.start()
        calls.put(None)
        try:
            self.until(ALIVE)
            yield started
        finally:
            calls.put(OVER)
            starting.join()
            for process in started:
                process.kill()
                process.join()

    def ages(self, report: Report) -> list[float]:
        """In milliseconds, of each version that each heard socket was told, itself or by a later one."""
        versions: dict[str, list[int]] = {}
        for call_id, version in sorted(self.commits.at):
            versions.setdefault(call_id, []).append(version)
        ages: list[float] = []
        for frames in report.seen.values():
            told: dict[str, int] = {}
            for at, calls in frames:
                for call_id, version in calls.items():
                    known = versions.get(call_id, [])
                    news = known[bisect_left(known, told.get(call_id, 0) + 1) : bisect_left(known, version + 1)]
                    ages += [(at - self.commits.at[call_id, new]) * 1000 for new in news]
                    told[call_id] = max(told.get(call_id, 0), version)
        return ages


def _relay(variables: dict[str, str], calls: Any, seconds: float, after: int | None) -> None:  # noqa: ANN401 - a queue
    os.environ.update(variables)  # noqa: TID251 - as Lambda does
    wiring.logger("broadcast")
    wiring.wake_relay = lambda _shard, after=None: calls.put(after)  # as a function is invoked

    async def run() -> None:
        async with wiring.relay(0) as relay:
            await relay.run(seconds, after)

    asyncio.run(run())


def measure(stage: Stage) -> Iterator[Figure]:
    with gateway() as taking:
        yield from posting(stage, taking)
        yield from _commit_to_socket(stage, taking)
        yield from _crowd(stage, taking)
        yield from _neighbours(stage, taking)
        yield _memory(stage, taking)
        yield _hand_overs(stage, taking)


def posting(stage: Stage, taking: Gateway) -> Sequence[Figure]:
    """A backlog is told to all of them, each part of it in a frame: nothing else is at work meanwhile."""
    floor = Floor(stage, taking, queues=1, calls=30)
    floor.listen(BACKLOG_SOCKETS, heard_of=2 * BACKLOG_SOCKETS)
    for number in range(5 * DRAIN_AT_ONCE):
        floor.hold(number, 1)
    taking.report()
    with floor.relay():
        floor.until_told()
    report = taking.report()
    told = report.posts_per_second
    frame = b"x" * (report.sent_bytes // report.posts)

    def bare(post_all: Callable[[str, bytes, int], Coroutine[Any, Any, None]]) -> float:
        asyncio.run(post_all(taking.url, frame, report.posts))
        return taking.report().posts_per_second

    name = f"feed: posts of a backlog to {BACKLOG_SOCKETS:,} sockets"
    size = f"{len(frame):,} bytes each"
    return (
        Figure(name, told, "/s", bare(_posts_by_aiohttp), f"a bare loop of posts by aiohttp, {size}"),
        Figure("the same", told, "/s", bare(_posts_by_our_client), f"a bare loop by the relay's own client, {size}"),
    )


def frame_bytes(stage: Stage, taking: Gateway) -> float:
    """How long a frame is that tells of one event."""
    floor = Floor(stage, taking, queues=1, calls=1)
    floor.listen(1, heard_of=2)
    taking.report()
    with floor.relay():
        for number in range(20):
            floor.hold(number, 1)
            floor.until_told()
    report = taking.report()
    return report.sent_bytes / report.posts


async def _posts_by_aiohttp(url: str, frame: bytes, posts: int) -> None:
    """The same number at a time, to as many connections, and nothing else to do."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(number: int) -> None:
            async with session.post(address(url, _deaf(number)), data=frame) as response:
                await response.read()

        await _at_once(post, posts)


async def _posts_by_our_client(url: str, frame: bytes, posts: int) -> None:
    async with HttpGateway(url) as client:
        await _at_once(lambda number: client.post(_deaf(number), frame), posts)


async def _at_once(post: Callable[[int], Awaitable[object]], posts: int) -> None:
    numbers = iter(range(posts))

    async def post_some() -> None:
        for number in numbers:
            await post(number)

    await asyncio.gather(*(post_some() for _ in range(POSTS_AT_ONCE)))


def _deaf(number: int) -> str:
    return f"deaf-{number % BACKLOG_SOCKETS}"


def _commit_to_socket(stage: Stage, taking: Gateway) -> Iterator[Figure]:
    floor = Floor(stage, taking, queues=QUEUES, calls=400)
    floor.listen(100)
    ages = _told(floor, taking, lambda: floor.send(200, 20))[0]
    name = f"feed: commit to socket, 200 events/s, 100 sockets, {QUEUES} queues"
    yield Figure(f"{name}, p50", statistics.median(ages), "ms", 5, "wanted")
    yield Figure(f"{name}, p99", _p99(ages), "ms", 30, "wanted")


def _crowd(stage: Stage, taking: Gateway) -> Iterator[Figure]:
    floor = Floor(stage, taking, queues=1, calls=30)
    floor.listen(1000, heard_of=50)
    ages, report, seconds = _told(floor, taking, lambda: floor.send(500, 30, batch=5))
    note = f"{report.posts:,} posts, {report.sent_bytes / 1e6:,.0f} MB, {report.resets} resets"
    yield Figure("feed: 1,000 sockets on a queue, 500 events/s: age p99", _p99(ages), "ms", 2000, "wanted", note)
    yield Figure("the same: what is owed at the end is told in", seconds, "s", note=note)


def _neighbours(stage: Stage, taking: Gateway) -> Iterator[Figure]:
    """Three runs without the slow one, three with it, in turn."""
    runs: dict[bool, list[float]] = {False: [], True: []}
    for is_slow in (False, True) * 3:
        floor = Floor(stage, taking, queues=1, calls=30)
        floor.listen(199)
        if is_slow:
            floor.slow_down(0)
        ages, _, _ = _told(floor, taking, lambda floor=floor: floor.send(20, 8), is_whole=not is_slow)
        runs[is_slow].append(statistics.median(ages))
    with_it, without = statistics.median(runs[True]), statistics.median(runs[False])
    yield Figure(f"feed: 199 beside one that takes {SLOW} posts, p50", with_it, "ms", without, "without it")


def _memory(stage: Stage, taking: Gateway) -> Figure:
    floor = Floor(stage, taking, queues=QUEUES, calls=400)
    floor.listen(10_000, heard_of=20_000)
    peak = 0
    with floor.relay() as (process,):
        for number in range(100):
            floor.hold(number * 40, 40)  # each of them concerns every socket
            peak = max(peak, resident(process))
        floor.until_told()
        peak = max(peak, resident(process))
    return Figure("feed: a relay for 10,000 sockets, memory", peak / 2**20, "MB", 256, "wanted")


def _hand_overs(stage: Stage, taking: Gateway) -> Figure:
    """Relays that live shorter than a minute, so that ten hand-overs take two minutes and not ten."""
    floor = Floor(stage, taking, queues=QUEUES, calls=400)
    floor.listen(100)
    with floor.relay(LIFE_SECONDS) as started:
        taking.report()
        floor.send(100, HAND_OVERS * (LIFE_SECONDS + START_SECONDS))
        floor.until_told()
    ages = floor.ages(taking.report())
    note = f"{len(started) - 1} hand-overs, p50 {statistics.median(ages):.1f} ms, p99 {_p99(ages):.0f} ms"
    assert len(started) > HAND_OVERS
    return Figure("feed: relays replaced at 100 events/s, the oldest update", max(ages), "ms", 1000, "wanted", note)


def resident(process: Any) -> int:  # noqa: ANN401 - a process of a context
    return psutil.Process(process.pid).memory_info().rss


def _told(
    floor: Floor, taking: Gateway, work: Callable[[], None], *, is_whole: bool = True
) -> tuple[list[float], Report, float]:
    """Ages; what came; and the seconds from the end of the work until nothing was owed."""
    with floor.relay():
        floor.hold(0, 1)
        floor.until_told()
        floor.commits.at.clear()
        taking.report()
        work()
        done = time.monotonic()
        if is_whole:
            floor.until_told()
        seconds = time.monotonic() - done
    report = taking.report()
    return floor.ages(report), report, seconds


def _p99(ages: Sequence[float]) -> float:
    return statistics.quantiles(ages, n=100)[98]


def main() -> None:
    from bench.__main__ import console, table
    from bench.stage import stage

    figures: list[Figure] = []
    with stage() as ground:
        for figure in measure(ground):
            console.print(figure)
            figures.append(figure)
    console.print(table(figures))


if __name__ == "__main__":
    main()
