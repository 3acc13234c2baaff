"""Posts many frames to connections at once: what the relay needs."""

from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from shared.adapters import metrics
from shared.adapters.connections import Sign, address, unsigned
from shared.adapters.metrics import Metric
from shared.usecases.floor import Sent

# The relay bounds how many posts are under way; the client must not bound them again.
TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
URLS_KEPT = 20_000  # to take one apart costs a tenth of a post
_COUNTED = {Sent.DONE: Metric.POSTS, Sent.GONE: Metric.POSTS_GONE, Sent.BUSY: Metric.POSTS_BUSY}
_SENT = {200: Sent.DONE, 204: Sent.DONE, 410: Sent.GONE}


class HttpGateway:
    def __init__(self, base_url: str, sign: Sign = unsigned, timeout: aiohttp.ClientTimeout = TIMEOUT) -> None:
        self._base_url, self._sign = base_url, sign
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._url = lru_cache(URLS_KEPT)(self._address)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, connection_id: str, frame: bytes) -> Sent:
        sent = await self._send("POST", connection_id, frame)
        metrics.count(_COUNTED[sent])
        return sent

    async def close(self, connection_id: str) -> Sent:
        return await self._send("DELETE", connection_id, b"")

    def _address(self, connection_id: str) -> URL:
        return URL(address(self._base_url, connection_id), encoded=True)

    async def _send(self, method: str, connection_id: str, body: bytes) -> Sent:
        url = self._url(connection_id)
        headers = self._sign(method, str(url), body)
        try:
            async with self._session.request(method, url, data=body, headers=headers) as response:
                await response.read()
                return _SENT.get(response.status, Sent.BUSY)
        except (aiohttp.ClientError, TimeoutError):
            return Sent.BUSY
