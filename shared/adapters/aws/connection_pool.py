"""Posts many frames to connections at once: what the relay needs."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from shared.adapters.aws.connections import Sign, address, unsigned
from shared.adapters.aws.keepalive_http import KeepAliveConnection, open_connection
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.usecases.feed.ports import PostResult

KEPT_SECONDS = 15.0  # a line that was idle for longer may be dead without knowing it
_COUNTED = {PostResult.DONE: Metric.POSTS, PostResult.GONE: Metric.POSTS_GONE, PostResult.BUSY: Metric.POSTS_BUSY}
_SENT = {200: PostResult.DONE, 204: PostResult.DONE, 410: PostResult.GONE}


class HttpGateway:
    """The relay bounds how many posts are under way, and with them how many lines there are."""

    def __init__(self, base_url: str, sign: Sign = unsigned) -> None:
        self._base_url, self._sign = base_url, sign
        self._parts = urlsplit(base_url)
        self._idle: list[KeepAliveConnection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    async def post(self, connection_id: str, frame: bytes) -> PostResult:
        sent = await self._send("POST", connection_id, frame)
        metrics.count(_COUNTED[sent])
        return sent

    async def close(self, connection_id: str) -> PostResult:
        return await self._send("DELETE", connection_id, b"")

    async def _send(self, method: str, connection_id: str, body: bytes) -> PostResult:
        line = None
        try:
            line = self._idle_line() or await open_connection(self._parts)
            return _SENT.get(await line.ask(self._request(method, connection_id, body)), PostResult.BUSY)
        except OSError:
            return PostResult.BUSY
        finally:
            if line:
                self._put_back(line)

    def _request(self, method: str, connection_id: str, body: bytes) -> bytes:
        url = address(self._base_url, connection_id)
        path = url.split("/", 3)[3]
        lines = [
            f"{method} /{path} HTTP/1.1",
            f"Host: {self._parts.netloc}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self._sign(method, url, body).items()),
        ]
        return "\r\n".join([*lines, "\r\n"]).encode() + body

    def _idle_line(self) -> KeepAliveConnection | None:
        """The one used last: where even that one is too old, all are."""
        while self._idle:
            line = self._idle.pop()
            if line.is_free and asyncio.get_running_loop().time() - line.freed_at < KEPT_SECONDS:
                return line
            line.close()
        return None

    def _put_back(self, line: KeepAliveConnection) -> None:
        if line.is_free:
            self._idle.append(line)
        else:
            line.close()

    def _let_go(self) -> None:
        while self._idle:
            self._idle.pop().close()
