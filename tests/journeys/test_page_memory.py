"""What the page keeps: as much after many updates of as many calls as after few. No cloud: its feed is played here."""

import itertools
import json
import mimetypes
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from playwright.sync_api import CDPSession, Page
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from infra.toolchain import dashboard
from tests.support.cloud import Json
from tests.support.pages import DESK, SIGNAL_MS, chromium, live

# Without compiled code, which grows for a long time, only data is kept.
INTERPRETED = "--js-flags=--jitless"
MAX_NODES = 50


@dataclass(frozen=True)
class Size:
    """How much is played. `max_bytes` is what the page may keep of the second half."""

    calls: int
    """Live at any time."""
    ending: int
    """Those of them that end with each frame, and make room for others."""
    frames: int
    """In each half."""
    max_bytes: int


# In the first half more calls end than the page remembers, so that what has a bound has reached it. Seen: always
# between 3.53 and 3.70 MB. The bound is ten bytes an update: one that is kept has hundreds.
LARGE = Size(calls=200, ending=110, frames=100, max_bytes=300_000)
# The second half adds 600 calls to those that the page remembers. All updates of a half are three times the bound.
SMALL = Size(calls=20, ending=20, frames=30, max_bytes=300_000)

QUEUE = {
    "id": "q", "name": "Queue", "language": "es", "slaSeconds": 30, "answerSeconds": 15, "holdSeconds": 60,
    "shortCallSeconds": 10, "wrapUpSeconds": 20, "routing": "telephony", "strategy": "longest_idle",
    "missesBeforeAway": 1, "priority": 0, "agingSeconds": 60, "overflowSeconds": None, "overflowQueueId": None,
}  # fmt: skip
ALL_DRAWN = """version => {
  const rows = [...document.querySelectorAll("[data-call-id]")]
  return rows.length > 0 && rows.every((row) => Number(row.dataset.version) === version)
}"""


@dataclass
class Centre:
    """As many calls at any time: with each frame all of them change, and some end and make room for others."""

    size: Size
    ids: list[int] = field(init=False)
    version: int = 1
    _fresh: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.ids, self._fresh = list(range(self.size.calls)), itertools.count(self.size.calls)

    def calls(self) -> list[Json]:
        return [self._call(number, "waiting") for number in self.ids]

    def frame(self) -> Json:
        self.version += 1
        ended, self.ids = self.ids[: self.size.ending], self.ids[self.size.ending :]
        gone = [self._call(number, "ended") for number in ended]
        self.ids += [next(self._fresh) for _ in ended]
        events = [self._event(call["id"], "call_ended") for call in gone]
        events += [self._event(f"call-{number}", "answer_timed_out") for number in self.ids]
        alerts = [
            {"id": f"a{call['id']}", "callId": call["id"], "queueId": "q", "flag": "short_call",
             "raisedAt": call["startTime"], "withdrawn": False}
            for call in gone
        ]  # fmt: skip
        return {
            "type": "update", "position": self.version, "calls": gone + self.calls(), "events": events,
            "agents": [], "alerts": alerts, "eventsOmitted": 0,
        }  # fmt: skip

    def _call(self, number: int, status: str) -> Json:
        return {
            "id": f"call-{number}", "type": "voice", "status": status, "queueId": "q", "language": None,
            "startTime": now(), "endTime": None, "agentId": None, "waitingSince": now(), "waitSeconds": None,
            "holdSeconds": 0, "durationSeconds": None, "endReason": None, "flags": [], "offer": None, "deadline": None,
            "priority": None, "version": self.version, "metadata": {},
        }  # fmt: skip

    def _event(self, call_id: str, kind: str) -> Json:
        return {
            "id": f"{call_id}-{kind}-{self.version}", "callId": call_id, "type": kind, "timestamp": now(),
            "occurredAt": None, "receivedAt": now(), "source": "system", "recordId": self.version,
            "version": self.version, "void": False, "metadata": {"agentId": "agent-1"},
        }  # fmt: skip


def now() -> str:
    return datetime.now(UTC).isoformat()


@contextmanager
def site(centre: Centre) -> Iterator[tuple[str, "queue.Queue[Json | None]"]]:
    """The built page, what it reads of the API, and a feed that sends what is put: the address, and where to put it."""
    frames: queue.Queue[Json | None] = queue.Queue()

    def talk(socket: ServerConnection) -> None:
        topics = json.loads(socket.recv())["topics"]
        socket.send(json.dumps({"type": "subscribed", "topics": topics, "position": 1, "replayed": False}))
        while (frame := frames.get()) is not None:
            socket.send(json.dumps(frame))

    def answer(socket: ServerConnection, request: Request) -> Response | None:
        return None if "Upgrade" in request.headers else read(request.path, centre, socket.local_address[1])

    with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", frames
        finally:
            frames.put(None)
            server.shutdown()
            thread.join()


def read(address: str, centre: Centre, port: int) -> Response:
    path = address.split("?")[0]
    documents: dict[str, Json] = {
        "/config.json": {"api": f"http://127.0.0.1:{port}", "websocket": f"ws://127.0.0.1:{port}"},
        "/api/queues": {"data": [QUEUE]},
        "/api/agents": {"data": []},
        "/api/calls": {"data": centre.calls(), "nextCursor": None, "position": centre.version},
    }
    file = dashboard.DIST / (path.strip("/") or "index.html")
    if path in documents:
        return respond(200, json.dumps(documents[path]).encode(), "application/json")
    if file.is_file():
        return respond(200, file.read_bytes(), mimetypes.guess_type(file)[0] or "text/plain")
    return respond(404, b"{}", "application/json")


def respond(status: int, body: bytes, kind: str) -> Response:
    return Response(status, "", Headers({"Content-Type": kind, "Content-Length": str(len(body))}), body)


def kept(session: CDPSession) -> tuple[int, int]:
    """Bytes and nodes that garbage collection leaves: the least of some, for a read may be under way at one of them."""
    levels: list[tuple[int, int]] = []
    for _ in range(6):
        session.send("HeapProfiler.collectGarbage")
        size: int = session.send("Runtime.getHeapUsage")["usedSize"]
        levels.append((size, session.send("Memory.getDOMCounters")["nodes"]))
    return min(size for size, _ in levels), min(nodes for _, nodes in levels)


def play(page: Page, centre: Centre, frames: "queue.Queue[Json | None]") -> None:
    """Each frame is drawn before the next comes: what a picture keeps is kept of each."""
    for _ in range(centre.size.frames):
        frames.put(centre.frame())
        page.wait_for_function(ALL_DRAWN, arg=centre.version, timeout=SIGNAL_MS)


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium(INTERPRETED) as browser:
        yield browser.new_page(viewport=DESK)


@pytest.mark.parametrize("size", [SMALL, pytest.param(LARGE, marks=pytest.mark.deep)], ids=["20 calls", "200 calls"])
def test_the_page_keeps_nothing_of_updates_that_are_past(page: Page, size: Size) -> None:
    dashboard.build()
    centre = Centre(size)
    with site(centre) as (address, frames):
        page.goto(f"{address}/#token=any")
        live(page)
        session = page.context.new_cdp_session(page)
        play(page, centre, frames)
        bytes_before, nodes_before = kept(session)
        play(page, centre, frames)
        bytes_after, nodes_after = kept(session)
        page.close()
    assert bytes_after - bytes_before < size.max_bytes, f"{bytes_before:,} bytes became {bytes_after:,}"
    assert nodes_after - nodes_before < MAX_NODES, f"{nodes_before:,} nodes became {nodes_after:,}"
