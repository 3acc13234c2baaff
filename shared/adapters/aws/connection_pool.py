"""Posts frames to many WebSocket connections concurrently, for the relay."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from shared.adapters.aws.connections import Sign, connection_url, do_not_sign
from shared.adapters.aws.keepalive_http import KeepAliveConnection, open_connection
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.usecases.feed.ports import PostResult

MAX_IDLE_SECONDS = 15.0  # the server may have dropped an older connection
_METRICS = {
    PostResult.DONE: Metric.POSTS,
    PostResult.GONE: Metric.POSTS_GONE,
    PostResult.BUSY: Metric.POSTS_BUSY,
}
_RESULTS = {200: PostResult.DONE, 204: PostResult.DONE, 410: PostResult.GONE}


class HttpGateway:
    """Opens as many HTTP connections as there are concurrent posts. The caller limits them."""

    def __init__(self, base_url: str, sign: Sign = do_not_sign) -> None:
        self._base_url, self._sign = base_url, sign
        self._address = urlsplit(base_url)
        self._idle: list[KeepAliveConnection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            self._idle.pop().close()

    async def post(self, connection_id: str, frame: bytes) -> PostResult:
        result = await self._send("POST", connection_id, frame)
        metrics.count(_METRICS[result])
        return result

    async def close(self, connection_id: str) -> PostResult:
        return await self._send("DELETE", connection_id, b"")

    async def _send(self, method: str, connection_id: str, body: bytes) -> PostResult:
        connection = None
        try:
            connection = self._idle_connection() or await open_connection(self._address)
            status = await connection.request(self._request(method, connection_id, body))
            return _RESULTS.get(status, PostResult.BUSY)
        except OSError:
            return PostResult.BUSY
        finally:
            if connection:
                self._put_back(connection)

    def _request(self, method: str, connection_id: str, body: bytes) -> bytes:
        url = connection_url(self._base_url, connection_id)
        path = url.split("/", 3)[3]
        lines = [
            f"{method} /{path} HTTP/1.1",
            f"Host: {self._address.netloc}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self._sign(method, url, body).items()),
        ]
        return "\r\n".join([*lines, "\r\n"]).encode() + body

    def _idle_connection(self) -> KeepAliveConnection | None:
        """The most recently used one. If it is too old, all others are too."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_free and asyncio.get_running_loop().time() - connection.freed_at < MAX_IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _put_back(self, connection: KeepAliveConnection) -> None:
        if connection.is_free:
            self._idle.append(connection)
        else:
            connection.close()
