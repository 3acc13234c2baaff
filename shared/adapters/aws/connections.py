"""Posts single frames to WebSocket connections, for the handlers of socket messages.

Uses the standard library's client, because it is imported in a third of the time of other clients.
"""

import http.client
from collections.abc import Callable
from urllib.parse import SplitResult, quote, urlsplit

Sign = Callable[[str, str, bytes], dict[str, str]]
TIMEOUT_SECONDS = 5.0


class PostRefusedError(OSError):
    """The gateway refused a frame. The message contains the status."""


def do_not_sign(method: str, url: str, body: bytes) -> dict[str, str]:  # noqa: ARG001 - for gateways that verify nothing
    return {}


def connection_url(base_url: str, connection_id: str) -> str:
    return f"{base_url}/@connections/{quote(connection_id, safe='')}"


class Connections:
    """Keeps one HTTP connection open. Raises `OSError` or `http.client.HTTPException` after a second failure."""

    def __init__(self, base_url: str, sign: Sign = do_not_sign) -> None:
        self._base_url, self._sign = base_url, sign
        self._client: http.client.HTTPConnection | None = None

    def post(self, connection_id: str, frame: bytes) -> bool:
        """False if the connection no longer exists."""
        return self._send("POST", connection_id, frame)

    def close(self, connection_id: str) -> bool:
        return self._send("DELETE", connection_id, b"")

    def _send(self, method: str, connection_id: str, body: bytes) -> bool:
        url = connection_url(self._base_url, connection_id)
        try:
            status = self._request(method, url, body)
        except (http.client.HTTPException, ConnectionError):
            self.disconnect()  # the server may have closed it while the function was frozen; retry on a new one
            status = self._request(method, url, body)
        if status not in (200, 204, 410):
            raise PostRefusedError(f"The gateway answered {status} to a {method} to a connection.")
        return status != 410

    def _request(self, method: str, url: str, body: bytes) -> int:
        parts = urlsplit(url)
        client = self._client = self._client or _connect(parts)
        client.request(method, parts.path, body, self._sign(method, url, body))
        response = client.getresponse()
        response.read()
        return response.status

    def disconnect(self) -> None:
        if self._client:
            self._client.close()
            self._client = None


def _connect(parts: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=TIMEOUT_SECONDS)
