"""A stand-in for API Gateway's connections: takes posts as fast as Python can, and says what came when.

MiniStack takes 3,700 posts/s and shares its process with everything else of the cloud, so that it would be measured and
not the relay. This one only parses what goes to connections that are `heard`, and holds posts to those that are `slow`.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import orjson

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
SLOW_SECONDS = 3.0
HEARD, SLOW = "heard", "slow"
"""How names begin of connections whose frames are written down, and of those who read hardly anything."""


@dataclass
class Report:
    """`seen` has of each heard connection when (monotonic, in seconds) it was told which version of which call."""

    posts: int = 0
    sent_bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    resets: int = 0
    seen: dict[str, list[tuple[float, dict[str, int]]]] = field(default_factory=dict)

    @property
    def posts_per_second(self) -> float:
        return self.posts / (self.last_at - self.first_at)


class Taker(asyncio.Protocol):
    """HTTP/1.1 as the relay's client speaks it: a length, keep-alive, one request at a time."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end])
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        self.buffer.clear()
        self._take(head.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode(), body)

    def _take(self, connection_id: str, body: bytes) -> None:
        report, now = self.report, time.monotonic()
        report.posts += 1
        report.sent_bytes += len(body)
        report.first_at, report.last_at = report.first_at or now, now
        report.resets += body.startswith(b'{"type":"reset"')
        if connection_id.startswith(HEARD):
            calls = orjson.loads(body).get("calls", ())
            report.seen.setdefault(connection_id, []).append((now, {call["id"]: call["version"] for call in calls}))
        if connection_id.startswith(SLOW):
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, OK)
        else:
            self.transport.write(OK)


class Gateway:
    """The stand-in, in a process of its own."""

    def __init__(self, url: str, pipe: Connection) -> None:
        self.url, self._pipe = url, pipe

    def report(self) -> Report:
        """What came since the last report."""
        self._pipe.send("report")
        return self._pipe.recv()


@contextmanager
def gateway() -> Iterator[Gateway]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=[theirs], daemon=True)
    process.start()
    try:
        yield Gateway(ours.recv(), ours)
    finally:
        ours.send("end")
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_take_posts(pipe))


async def _take_posts(pipe: Connection) -> None:
    loop, over, report = asyncio.get_running_loop(), asyncio.Event(), Report()

    def asked() -> None:
        nonlocal report
        if pipe.recv() == "end":
            over.set()
            return
        pipe.send(report)
        report.__dict__.update(Report().__dict__)

    server = await loop.create_server(lambda: Taker(report), "127.0.0.1", 0, backlog=1024)
    loop.add_reader(pipe.fileno(), asked)
    pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/live")
    await over.wait()
