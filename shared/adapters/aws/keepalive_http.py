"""A kept HTTP/1.1 connection for one request at a time. It reads only the status of each response.

Optimisation: a relay spends most of its processor time on posts, and with aiohttp a post takes five times as long.
`bench.optimisations.http_client` measures both. httptools (llhttp) parses the responses.
"""

import asyncio
import ssl
from functools import cache
from urllib.parse import SplitResult

from httptools import HttpParserError, HttpResponseParser

from shared.usecases.feed.timeout import Timeout

CONNECT_TIMEOUT_SECONDS, RESPONSE_TIMEOUT_SECONDS = 2.0, 5.0


class KeepAliveConnection(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._timeout = Timeout(RESPONSE_TIMEOUT_SECONDS, self.close)
        self._response: asyncio.Future[int] | None = None
        self.is_free = False
        self.freed_at = 0.0

    async def request(self, data: bytes) -> int:
        """The status of the response. Raises `OSError`; the connection is then closed."""
        self.is_free = False
        self._response = self._loop.create_future()
        self._timeout.start()
        self._transport.write(data)
        return await self._response

    def close(self) -> None:
        self.is_free = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.is_free = transport, True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._response and not self._response.done():
            self._timeout.stop()
            self._response.set_result(self._parser.get_status_code())
            self.is_free, self.freed_at = self._parser.should_keep_alive(), self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_free = False
        self._timeout.close()
        if self._response and not self._response.done():
            self._response.set_exception(exc or ConnectionResetError("closed without a response"))


async def open_connection(address: SplitResult) -> KeepAliveConnection:
    """Raises `OSError`."""
    is_tls = address.scheme == "https"
    host, port = address.hostname or "", address.port or (443 if is_tls else 80)
    loop, context = asyncio.get_running_loop(), _tls_context() if is_tls else None
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        _, connection = await loop.create_connection(KeepAliveConnection, host, port, ssl=context)
    return connection


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
