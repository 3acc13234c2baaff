"""The relay between a recorder and many sockets: python -m bench.feed measures it alone, beside a bare loop of posts.

`--minutes 10` measures only hand-overs, for so long and with relays that live as long as theirs do.

Postgres, Redis and the relay are the real ones, the relay in a process of its own as a function has it; the gateway is
a stand-in (bench/gateway.py says why). Ages are of each version of each call, from its commit, as the recorder learns
of it, until a socket heard was told it or a later one.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

import aiohttp
import psutil

from bench.floor import Floor
from bench.gateway import SLOW, Gateway, Report, gateway
from bench.report import console, table
from bench.stage import Figure, Stage, stage
from shared.adapters.aws.connection_pool import HttpGateway
from shared.adapters.aws.connections import address
from shared.usecases.feed.delivery import POSTS_AT_ONCE
from shared.usecases.feed.relay import DRAIN_AT_ONCE

QUEUES, BACKLOG_SOCKETS = 40, 4000
LIFE_SECONDS, START_SECONDS, HAND_OVERS = 10.0, 3.0, 10
RELAY_SECONDS = 60.0  # as functions live, unless they are told otherwise


def measure(stage: Stage) -> Iterator[Figure]:
    with gateway() as taking:
        yield from posting(stage, taking)
        yield from _commit_to_socket(stage, taking)
        yield from _crowd(stage, taking)
        yield from _neighbours(stage, taking)
        yield _memory(stage, taking)
        yield hand_overs(stage, taking, LIFE_SECONDS, HAND_OVERS * (LIFE_SECONDS + START_SECONDS))


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


def hand_overs(stage: Stage, taking: Gateway, life_seconds: float, seconds: float) -> Figure:
    """Relays that live so long, one after the other."""
    floor = Floor(stage, taking, queues=QUEUES, calls=400)
    floor.listen(100)
    with floor.relay(life_seconds) as started:
        taking.report()
        begun = time.monotonic()
        floor.send(100, seconds)
        per_second = 100 * seconds / (time.monotonic() - begun)
        floor.until_told()
    ages = floor.ages(taking.report())
    spread = f"p50 {statistics.median(ages):.1f} ms, p99 {_p99(ages):.0f} ms"
    note = f"{per_second:.0f} events/s, {len(started) - 1} hand-overs, {spread}"
    assert len(started) > seconds // (life_seconds + START_SECONDS)
    name = (
        f"feed: relays replaced each {life_seconds:.0f} s for {seconds / 60:.0f} minutes, 100 events/s: oldest update"
    )
    return Figure(name, max(ages), "ms", 1000, "wanted", note)


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="only hand-overs, for so long")
    minutes = parser.parse_args().minutes
    figures: list[Figure] = []
    with stage() as ground:
        for figure in _long(ground, minutes * 60) if minutes else measure(ground):
            console.print(figure)
            figures.append(figure)
    console.print(table(figures))


def _long(stage: Stage, seconds: float) -> Iterator[Figure]:
    with gateway() as taking:
        yield hand_overs(stage, taking, RELAY_SECONDS, seconds)


if __name__ == "__main__":
    main()
