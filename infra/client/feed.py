"""The live half of the client: subscribes, reads the snapshot, follows, and comes back by itself when cut off."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from infra.client.picture import NOTHING, Change, Picture
from infra.client.rest import LIVE, Api, Problem, Unreachable
from infra.client.state import FeedState

Json = dict[str, Any]

# Gateways close a connection after 10 silent minutes, and a dead one says nothing: ask well before, expect a word back.
PING_SECONDS = 30.0
SILENCE_SECONDS = 45.0
ANSWER_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# Sockets that fail so often in a row are not to be had: what changed is asked for instead, until they are.
FAILURES_BEFORE_POLLING = 3
POLL_SECONDS = 3.0
# A socket may live while nobody feeds it: so often REST is asked, and what it knows must be told until the next time.
AUDIT_SECONDS = 30.0
# API Gateway ends every connection after 2 hours. A new one resumes where the old one was left.
REPLACE_SECONDS = 110 * 60.0
REFUSED = frozenset({401, 403})


class Lost(Exception):
    """The connection is gone; the feed will make another."""


OUTAGES = (Lost, Unreachable, OSError, WebSocketException, TimeoutError, Problem)


@dataclass(frozen=True, slots=True)
class News:
    """A frame and what it changed (`update`, `snapshot`, `polled`, `error`), or its connection's (`live`, `lost`)."""

    kind: Literal["live", "lost", "snapshot", "update", "polled", "error"]
    change: Change = NOTHING
    frame: Json | None = None
    detail: str = ""


class Feed:
    """Follows topics. `picture` is the floor as known; `news()` yields whatever is new, for as long as it is read."""

    def __init__(
        self,
        api: Api,
        websocket: str,
        token: str,
        topics: Sequence[str],
        *,
        silence_seconds: float = SILENCE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.live = asyncio.Event()
        self.is_polling = False
        self.connections = 0
        self._api = api
        self._address = f"{websocket}?{urlencode({'token': token})}"
        self._state = FeedState(list(topics))
        self._untold: dict[str, int] = {}  # versions that an audit has shown and no frame has told
        self._silence_seconds = silence_seconds
        self._answer_seconds = answer_seconds

    @property
    def picture(self) -> Picture:
        return self._state.picture

    async def news(self) -> AsyncGenerator[News, None]:
        """Everything new, across reconnects. Ends only with a Problem: a token once refused stays refused."""
        pause_seconds, failures = FIRST_PAUSE_SECONDS, 0
        while True:
            failures += 1
            try:
                async with aclosing(self._connection()) as connection:
                    async for item in connection:
                        if item.kind == "live":
                            self.is_polling = False
                            pause_seconds, failures = FIRST_PAUSE_SECONDS, 0
                        yield item
            except OUTAGES as error:
                self.live.clear()
                await self._raise_if_refused(error)
                self.is_polling = failures >= FAILURES_BEFORE_POLLING
                yield News("lost", detail=str(error) or type(error).__name__)
            wait_seconds = random.uniform(pause_seconds / 2, pause_seconds)
            if self.is_polling:
                async for item in self._polling(wait_seconds):
                    yield item
            else:
                await asyncio.sleep(wait_seconds)
            pause_seconds = min(LONGEST_PAUSE_SECONDS, pause_seconds * 2)

    async def _polling(self, seconds: float) -> AsyncGenerator[News, None]:
        """What changed, asked for until the next attempt at a socket. An outage ends it early, a refusal the feed."""
        until = _now() + seconds
        while True:
            try:
                yield await self._poll()
            except (Problem, Unreachable) as error:
                await self._raise_if_refused(error)
            await asyncio.sleep(max(0.0, min(POLL_SECONDS, until - _now())))
            if _now() >= until:
                return

    async def _poll(self) -> News:
        since = self._state.since
        if since is None or self._state.needs_snapshot:
            return await self._read_snapshot({})
        told = await self._api.changes(since)
        if told["reset"]:
            self._state.reset()
            return await self._read_snapshot(told)
        return News("polled", self._state.take_poll(told), told)

    async def _audit(self) -> list[News]:
        """Take in what REST knows. What it knew the last time and the feed has still not told shows that it lags."""
        if self._untold:
            raise Lost(f"the feed has not told of {len(self._untold)} calls in {AUDIT_SECONDS:g} s")
        try:
            told = await self._api.changes(since := self._state.since or 0)
        except (Problem, Unreachable) as error:
            await self._raise_if_refused(error)
            return []
        if told["reset"]:
            self._state.reset()
            return [await self._read_snapshot(told)]
        change = self._state.take_audit(told, since)
        self._untold = {call["id"]: call["version"] for call in change.calls if self._state.follows(call)}
        return [] if change == NOTHING else [News("polled", change, told)]

    async def _raise_if_refused(self, error: Exception) -> None:
        """A refusal is final, an outage never. Gateways refuse a handshake for either: REST is asked which it was."""
        if isinstance(error, InvalidStatus) and error.response.status_code in REFUSED:
            try:
                await self._api.queues()
            except (Problem, Unreachable) as answer:
                error = answer
        if isinstance(error, Problem) and error.status < 500:
            raise error

    async def _connection(self) -> AsyncGenerator[News, None]:
        # The library's own pings are off: API Gateway counts only messages as life, so ours are messages.
        async with connect(self._address, ping_interval=None, max_size=2**20, open_timeout=10) as socket:
            self.connections += 1
            await self._subscribe(socket)
            answer_by, replace_at = _now() + self._answer_seconds, _now() + REPLACE_SECONDS
            audit_at = _now() + AUDIT_SECONDS
            pinging = asyncio.create_task(_ping(socket))
            try:
                while _now() < replace_at:
                    for item in await self._take(await self._receive(socket, answer_by)):
                        yield item
                    if self.live.is_set() and _now() >= audit_at:
                        audit_at = _now() + AUDIT_SECONDS
                        for item in await self._audit():
                            yield item
            finally:
                self.live.clear()
                self._state.lost()
                self._untold.clear()
                pinging.cancel()

    async def _subscribe(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps(self._state.subscribe()))

    async def _receive(self, socket: ClientConnection, answer_by: float) -> Json:
        silent_at = _now() + self._silence_seconds
        is_live = self.live.is_set()
        try:
            async with asyncio.timeout_at(silent_at if is_live else answer_by):
                frame = json.loads(await socket.recv())
        except TimeoutError:
            seconds, what = (self._silence_seconds, "silent") if is_live else (self._answer_seconds, "not subscribed")
            raise Lost(f"{what} for {seconds:g} s") from None
        except ValueError:
            frame = None
        if not isinstance(frame, dict):  # the gateway's own words, and nobody knows in place of what
            raise Lost("a frame that cannot be read")
        return frame

    async def _take(self, frame: Json) -> list[News]:
        match frame.get("type"):
            case "update":
                for view in (*frame["calls"], *frame.get("left", ())):
                    if view["version"] >= self._untold.get(view["id"], 0):
                        self._untold.pop(view["id"], None)
                told = News("update", self._state.hear(frame, _now()), frame)
                return [told, *await self._heal(frame)] if self._state.is_subscribed else [told]
            case "subscribed":
                self._state.hear(frame, _now())
                snapshot = await self._heal(frame)
                self.live.set()
                return [*snapshot, News("live", frame=frame)]
            case "reset":
                self._state.hear(frame, _now())
                # Before `subscribed`, another reason to read may follow: one snapshot serves for both.
                return await self._heal(frame) if self._state.is_subscribed else []
            case "error":
                if not self.live.is_set():  # the subscription was refused, so nothing would ever come
                    raise self._refusal(frame)
                return [News("error", frame=frame, detail=str(_error(frame)))]
            case _:
                return []

    def _refusal(self, frame: Json) -> Exception:
        """Lost where the rest of the topics can be subscribed to on the next connection."""
        error = _error(frame)
        is_partial = error.status == httpx.codes.FORBIDDEN and self._state.refuse(error.document)
        return Lost(str(error)) if is_partial else error

    async def _heal(self, frame: Json) -> list[News]:
        return [await self._read_snapshot(frame)] if self._state.needs_snapshot else []

    async def _read_snapshot(self, frame: Json) -> News:
        """Read all live calls and agents. Frames that come meanwhile wait in the socket; versions put them in order."""
        read = self._state.ask()
        pages = [page async for page in self._api.pages("/api/calls", status=LIVE)]
        agents = await self._api.agents()
        return News("snapshot", self._state.take_snapshot(read, pages, agents), frame)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _ping(socket: ClientConnection) -> None:
    """Until the connection ends, which whoever receives on it finds out as well."""
    with suppress(ConnectionClosed):
        while True:
            await asyncio.sleep(PING_SECONDS)
            await socket.send('{"action": "ping"}')


def _error(frame: Json) -> Problem:
    problem = frame.get("problem") or {}
    return Problem(problem.get("status", 0), problem)
