"""An HTTP/1.1 connection that is kept, for one request at a time, and of the answer only its status.

A relay posts thousands of frames a second and does hardly anything else. By a general client a post costs the processor
three times as much (`python -m bench.feed` measures both), so here is what is needed of one; llhttp reads the answers.
"""

import asyncio
import ssl
from functools import cache
from urllib.parse import SplitResult

from httptools import HttpParserError, HttpResponseParser

from shared.usecases.feed.timeout import Timeout

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0


class KeepAliveConnection(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._patience = Timeout(ANSWER_SECONDS, self.close)
        self._answer: asyncio.Future[int] | None = None
        self.is_free = False
        self.freed_at = 0.0

    async def ask(self, request: bytes) -> int:
        """The status of its answer. Raises `OSError`; the line is of no use any more then."""
        self.is_free = False
        self._answer = self._loop.create_future()
        self._patience.begin()
        self._transport.write(request)
        return await self._answer

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
        if self._answer and not self._answer.done():
            self._patience.end()
            self._answer.set_result(self._parser.get_status_code())
            self.is_free, self.freed_at = self._parser.should_keep_alive(), self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_free = False
        self._patience.stop()
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed without an answer"))


async def open_connection(address: SplitResult) -> KeepAliveConnection:
    """Raises `OSError`."""
    is_safe = address.scheme == "https"
    host, port = address.hostname or "", address.port or (443 if is_safe else 80)
    loop, trusted = asyncio.get_running_loop(), _trusted() if is_safe else None
    async with asyncio.timeout(CONNECT_SECONDS):
        _, line = await loop.create_connection(KeepAliveConnection, host, port, ssl=trusted)
    return line


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
