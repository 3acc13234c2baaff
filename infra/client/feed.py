"""The feed client: subscribes, reads the snapshot, applies frames, and reconnects."""

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

from infra.client.replica import NO_CHANGE, Change, Replica
from infra.client.rest import LIVE, Api, Problem, Unreachable
from infra.client.state import FeedState

Json = dict[str, Any]

# Gateways close a connection after 10 silent minutes, and a dead connection gives no sign. So the client pings well
# before, and expects a frame after each ping.
PING_SECONDS = 30.0
SILENCE_SECONDS = 45.0
ANSWER_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
# After this many failures in a row, the client polls REST until a connection succeeds.
FAILURES_BEFORE_POLLING = 3
POLL_SECONDS = 3.0
# A connection can live while no relay posts to it. So REST is polled at this interval, and the feed must have sent each
# change by the next poll.
AUDIT_SECONDS = 30.0
# API Gateway ends each connection after 2 hours. A new one resumes at the position of the old one.
REPLACE_SECONDS = 110 * 60.0
REFUSED = frozenset({401, 403})


class ConnectionLost(Exception):
    """The feed will connect again."""


OUTAGES = (ConnectionLost, Unreachable, OSError, WebSocketException, TimeoutError, Problem)


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """One step of the feed."""

    kind: Literal["live", "lost", "snapshot", "update", "polled", "error"]
    """`live` and `lost`: of the connection. `update`, `error`: a frame. `snapshot`, `polled`: read from REST."""
    change: Change = NO_CHANGE
    """The effects on the replica."""
    frame: Json | None = None
    """The frame, or the answer of REST."""
    detail: str = ""
    """The reason of `lost` and `error`."""


class Feed:
    """Follows topics. `replica` holds the live calls and agents. `updates()` yields each change while it is read.

    `live` is set while the connection keeps the replica up to date. `is_polling` is True while REST does.
    """

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
        self._unconfirmed: dict[str, int] = {}  # by call: versions that a poll showed and no frame has sent
        self._silence_seconds = silence_seconds
        self._answer_seconds = answer_seconds

    @property
    def replica(self) -> Replica:
        return self._state.replica

    async def updates(self) -> AsyncGenerator[FeedUpdate, None]:
        """Each change, across reconnects. Ends only with a `Problem`, because a refused token stays refused."""
        pause_seconds, failures = FIRST_PAUSE_SECONDS, 0
        while True:
            failures += 1
            try:
                async with aclosing(self._connection()) as connection:
                    async for update in connection:
                        if update.kind == "live":
                            self.is_polling = False
                            pause_seconds, failures = FIRST_PAUSE_SECONDS, 0
                        yield update
            except OUTAGES as error:
                self.live.clear()
                await self._raise_if_refused(error)
                self.is_polling = failures >= FAILURES_BEFORE_POLLING
                yield FeedUpdate("lost", detail=str(error) or type(error).__name__)
            wait_seconds = random.uniform(pause_seconds / 2, pause_seconds)
            if self.is_polling:
                async for update in self._polling(wait_seconds):
                    yield update
            else:
                await asyncio.sleep(wait_seconds)
            pause_seconds = min(MAX_PAUSE_SECONDS, pause_seconds * 2)

    async def _polling(self, seconds: float) -> AsyncGenerator[FeedUpdate, None]:
        """Poll until the next attempt to connect. A refusal ends the feed."""
        until = _now() + seconds
        while True:
            try:
                yield await self._poll()
            except (Problem, Unreachable) as error:
                await self._raise_if_refused(error)
            await asyncio.sleep(max(0.0, min(POLL_SECONDS, until - _now())))
            if _now() >= until:
                return

    async def _poll(self) -> FeedUpdate:
        since = self._state.since
        if since is None or self._state.needs_snapshot:
            return await self._read_snapshot({})
        changes = await self._api.changes(since)
        if changes["reset"]:
            self._state.reset()
            return await self._read_snapshot(changes)
        return FeedUpdate("polled", self._state.apply_poll(changes), changes)

    async def _audit(self) -> list[FeedUpdate]:
        """Poll REST and apply the changes. If the feed has not sent those of the last poll, the connection is stale."""
        if self._unconfirmed:
            raise ConnectionLost(f"no frame for {len(self._unconfirmed)} changed calls in {AUDIT_SECONDS:g} s")
        try:
            changes = await self._api.changes(since := self._state.since or 0)
        except (Problem, Unreachable) as error:
            await self._raise_if_refused(error)
            return []
        if changes["reset"]:
            self._state.reset()
            return [await self._read_snapshot(changes)]
        change = self._state.apply_audit(changes, since)
        self._unconfirmed = {call["id"]: call["version"] for call in change.calls if self._state.follows(call)}
        return [] if change == NO_CHANGE else [FeedUpdate("polled", change, changes)]

    async def _raise_if_refused(self, error: Exception) -> None:
        """Gateways refuse a handshake for a bad token and during an outage. REST shows which of them it is."""
        if isinstance(error, InvalidStatus) and error.response.status_code in REFUSED:
            try:
                await self._api.queues()
            except (Problem, Unreachable) as answer:
                error = answer
        if isinstance(error, Problem) and error.status < 500:
            raise error

    async def _connection(self) -> AsyncGenerator[FeedUpdate, None]:
        # The library's pings are off: API Gateway counts only messages as activity, so the client's pings are messages.
        async with connect(self._address, ping_interval=None, max_size=2**20, open_timeout=10) as socket:
            self.connections += 1
            await self._subscribe(socket)
            answer_by, replace_at = _now() + self._answer_seconds, _now() + REPLACE_SECONDS
            audit_at = _now() + AUDIT_SECONDS
            pinging = asyncio.create_task(_ping(socket))
            try:
                while _now() < replace_at:
                    for update in await self._take(await self._receive(socket, answer_by)):
                        yield update
                    if self.live.is_set() and _now() >= audit_at:
                        audit_at = _now() + AUDIT_SECONDS
                        for update in await self._audit():
                            yield update
            finally:
                self.live.clear()
                self._state.disconnected()
                self._unconfirmed.clear()
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
            reason = f"silent for {self._silence_seconds:g} s" if is_live else (
                f"not subscribed for {self._answer_seconds:g} s"
            )  # fmt: skip
            raise ConnectionLost(reason) from None
        except ValueError:
            frame = None
        if not isinstance(frame, dict):  # a message of the gateway, which may replace any frame
            raise ConnectionLost("an unreadable frame")
        return frame

    async def _take(self, frame: Json) -> list[FeedUpdate]:
        match frame.get("type"):
            case "update":
                for view in (*frame["calls"], *frame.get("left", ())):
                    if view["version"] >= self._unconfirmed.get(view["id"], 0):
                        self._unconfirmed.pop(view["id"], None)
                update = FeedUpdate("update", self._state.apply_frame(frame, _now()), frame)
                return [update, *await self._close_gap(frame)] if self._state.is_subscribed else [update]
            case "subscribed":
                self._state.apply_frame(frame, _now())
                snapshot = await self._close_gap(frame)
                self.live.set()
                return [*snapshot, FeedUpdate("live", frame=frame)]
            case "reset":
                self._state.apply_frame(frame, _now())
                # Before `subscribed`, another reason for a snapshot may follow. One snapshot serves both.
                return await self._close_gap(frame) if self._state.is_subscribed else []
            case "error":
                if not self.live.is_set():  # the subscription was refused, so no frame would follow
                    raise self._refusal(frame)
                return [FeedUpdate("error", frame=frame, detail=str(_error(frame)))]
            case _:
                return []

    def _refusal(self, frame: Json) -> Exception:
        """`ConnectionLost` if the next connection can subscribe to the rest of the topics."""
        error = _error(frame)
        is_partial = error.status == httpx.codes.FORBIDDEN and self._state.refuse(error.document)
        return ConnectionLost(str(error)) if is_partial else error

    async def _close_gap(self, frame: Json) -> list[FeedUpdate]:
        return [await self._read_snapshot(frame)] if self._state.needs_snapshot else []

    async def _read_snapshot(self, frame: Json) -> FeedUpdate:
        """Read all live calls and agents. Frames of this time wait in the socket. Versions order them."""
        read = self._state.begin_snapshot()
        pages = [page async for page in self._api.pages("/api/calls", status=LIVE)]
        agents = await self._api.agents()
        return FeedUpdate("snapshot", self._state.apply_snapshot(read, pages, agents), frame)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _ping(socket: ClientConnection) -> None:
    """Ping until the connection ends. The receiving task notices the end too."""
    with suppress(ConnectionClosed):
        while True:
            await asyncio.sleep(PING_SECONDS)
            await socket.send('{"action": "ping"}')


def _error(frame: Json) -> Problem:
    problem = frame.get("problem") or {}
    return Problem(problem.get("status", 0), problem)
