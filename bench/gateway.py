"""A stand-in for API Gateway's connections: it accepts the relay's posts as fast as Python can.

MiniStack accepts 3,700 posts/s and shares its process with the rest of the local cloud, so it would be the bottleneck.
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
RECORDED, SLOW = "recorded", "slow"
"""Prefixes of connection ids: the gateway records the frames of the first, and answers posts to the second late."""


@dataclass
class Report:
    """The posts since the last report. Times are monotonic seconds."""

    posts: int = 0
    sent_bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    frames: dict[str, list[tuple[float, dict[str, int]]]] = field(default_factory=dict)
    """By recorded connection: when each frame came, and the versions of its calls."""

    @property
    def posts_per_second(self) -> float:
        return self.posts / (self.last_at - self.first_at)


class _PostReader(asyncio.Protocol):
    """Reads HTTP/1.1 as the relay's client writes it: a length, keep-alive, one request at a time."""

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
        self._accept(head.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode(), body)

    def _accept(self, connection_id: str, body: bytes) -> None:
        report, now = self.report, time.monotonic()
        report.posts += 1
        report.sent_bytes += len(body)
        report.first_at, report.last_at = report.first_at or now, now
        if connection_id.startswith(RECORDED):
            calls = orjson.loads(body).get("calls", ())
            report.frames.setdefault(connection_id, []).append((now, {call["id"]: call["version"] for call in calls}))
        if connection_id.startswith(SLOW):
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, OK)
        else:
            self.transport.write(OK)


class Gateway:
    """The stand-in, which runs in its own process."""

    def __init__(self, url: str, pipe: Connection) -> None:
        self.url, self._pipe = url, pipe

    def report(self) -> Report:
        self._pipe.send("report")
        return self._pipe.recv()


@contextmanager
def gateway() -> Iterator[Gateway]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run_gateway, args=[theirs], daemon=True)
    process.start()
    try:
        yield Gateway(ours.recv(), ours)
    finally:
        ours.send("end")
        process.join()


def _run_gateway(pipe: Connection) -> None:
    asyncio.run(_accept_posts(pipe))


async def _accept_posts(pipe: Connection) -> None:
    loop, ended, report = asyncio.get_running_loop(), asyncio.Event(), Report()

    def answer() -> None:
        if pipe.recv() == "end":
            ended.set()
            return
        pipe.send(report)
        report.__dict__.update(Report().__dict__)

    server = await loop.create_server(lambda: _PostReader(report), "127.0.0.1", 0, backlog=1024)
    loop.add_reader(pipe.fileno(), answer)
    pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/live")
    await ended.wait()
