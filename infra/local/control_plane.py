"""Access control in front of MiniStack: the requests that are open, and those that need a signature.

MiniStack answers every AWS API without asking for a signature, and sends `Access-Control-Allow-Origin: *`. On a shared
machine, or beside any web page, this would give away what the functions are configured with. Behind this gate:

- A request that names an unknown host is refused. This stops DNS rebinding.
- The deployed REST API and the WebSocket endpoint are open, as on AWS. They check bearer tokens themselves.
- The files of the dashboard are open to GET and HEAD, without a query and without headers that could mean another API.
- Everything else is the control plane. It needs a Signature Version 4 by the run's secret, and has no CORS headers.

Requests that are not listed as open belong to the control plane. This includes those that a later MiniStack adds.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

Message = MutableMapping[str, Any]
Headers = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


HEALTH_PATH = "/_ministack/health"
MAX_BODY_BYTES = 64 * 2**20
MAX_CLOCK_DIFFERENCE = timedelta(minutes=15)  # as on AWS

_EXECUTE_API = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9-]+)/[A-Za-z0-9_-]+(?P<rest>/.*)?", re.DOTALL)
_FILE_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key_id>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request, ?SignedHeaders=(?P<names>[a-z0-9;_-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
# Headers that a browser or curl needs to read a file. None of them makes MiniStack choose another API.
_FILE_HEADERS = {b"host", b"range", b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since"}
# As CloudFront sends them with the dashboard on AWS: see PageHeaders in template.yaml.
_FILE_PROTECTION = [
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Access(Enum):
    """The access of a request."""

    API = auto()
    """Passes unchanged: the API checks the bearer token."""
    FILE = auto()
    """Passes without its query and most headers: a file of the dashboard."""
    HEALTH = auto()
    """Gets only the information that the server runs."""
    SIGNED = auto()
    """Passes if it is signed with the run's secret: the control plane."""
    UNKNOWN_HOST = auto()
    MALFORMED = auto()


@dataclass(frozen=True)
class Rules:
    hosts: Collection[str]
    """The Host headers that are known, with their ports, in lower case."""
    site: str
    """The bucket of the dashboard. Empty where the dashboard is served elsewhere."""
    is_rest_api: Callable[[str], bool]
    """Whether an API's id is that of a REST API."""

    def decide(self, kind: str, method: str, raw_path: bytes, headers: Headers) -> Access:
        """`kind` is ASGI's: "http" or "websocket".

        Open paths may contain no escapes in the parts that decide, so that no two readers of a path can differ.
        """
        named = [value for name, value in headers if name.lower() == b"host"]
        if len(named) != 1 or named[0].decode("latin-1").lower() not in self.hosts:
            return Access.UNKNOWN_HOST
        if not raw_path.startswith(b"/"):  # such as http://elsewhere/ in the request line
            return Access.MALFORMED
        raw = raw_path.decode("latin-1")
        if self._is_api(kind, raw):
            return Access.API
        if kind == "http" and method in ("GET", "HEAD"):
            if raw == HEALTH_PATH:
                return Access.HEALTH
            if self.site and re.fullmatch(rf"/{re.escape(self.site)}/(?:{_FILE_NAME}/)*{_FILE_NAME}", raw):
                return Access.FILE
        return Access.SIGNED

    def _is_api(self, kind: str, raw: str) -> bool:
        """A request to a deployed API, and not one to post to its sockets (`@connections`)."""
        as_read_by_ministack = unquote(raw)
        written, read = _EXECUTE_API.fullmatch(raw), _EXECUTE_API.fullmatch(as_read_by_ministack)
        if not written or not read or written["api"] != read["api"]:
            return False
        if kind == "websocket":
            return (read["rest"] or "/") == "/"
        segments = [part for part in unquote(read["rest"] or "").lower().split("/") if part]
        if segments[:1] == ["@connections"] or {".", ".."} & set(segments):
            return False
        return self.is_rest_api(read["api"])


def known_hosts(port: int, others: Iterable[str] = ()) -> set[str]:
    """The Host headers of a loopback server, and `others`, such as `ministack:4567`."""
    return {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")} | {other.lower() for other in others}


@dataclass(frozen=True)
class SignedRequest:
    """A request as it arrived, for verification."""

    method: str
    raw_path: bytes
    query: bytes
    headers: Headers
    body: bytes

    def is_signed_with(self, secret: str, now: datetime) -> bool:
        """Whether its Authorization header is a Signature Version 4 by this secret, not older than 15 minutes.

        A signature in the query (a presigned address) does not count: such addresses end up in logs and histories.
        """
        headers: dict[str, str] = {}
        for name, value in self.headers:
            key = name.decode("latin-1").lower()
            headers[key] = f"{headers[key]},{_text(value)}" if key in headers else _text(value)
        stated = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        at = headers.get("x-amz-date", "")
        if not stated or not at.startswith(stated["day"]) or not _is_recent(at, now):
            return False
        names = stated["names"].split(";")
        if not {"host", "x-amz-date"} <= set(names) or not set(names) <= set(headers):
            return False
        if not self._has_body_of(headers.get("x-amz-content-sha256")):
            return False
        url = f"http://{headers['host']}{self.raw_path.decode('latin-1')}?{self.query.decode('latin-1')}"
        request = AWSRequest(self.method, url, {name: headers[name] for name in names}, self.body)
        request.context["timestamp"] = at
        signer = S3SigV4Auth if stated["service"] == "s3" else SigV4Auth
        auth = signer(Credentials(stated["key_id"], secret), stated["service"], stated["region"])
        expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return hmac.compare_digest(expected, stated["signature"])

    def _has_body_of(self, digest: str | None) -> bool:
        """Whether the body matches its digest. A streamed upload has no digest."""
        if digest is None or digest.startswith(("STREAMING-", "UNSIGNED-PAYLOAD")):
            return True
        return hmac.compare_digest(hashlib.sha256(self.body).hexdigest(), digest)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _is_recent(at: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - signed_at) <= MAX_CLOCK_DIFFERENCE


@dataclass(frozen=True)
class Gate:
    """An ASGI application that lets requests through to another one by the rules."""

    app: App
    rules: Rules
    secret: str
    now: Callable[[], datetime]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        kind, method = scope["type"], scope.get("method", "GET")
        access = self.rules.decide(kind, method, scope["raw_path"], scope["headers"])
        if access is Access.API:
            await self.app(scope, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the server answers 403
        elif access is Access.FILE:
            headers = [(name, value) for name, value in scope["headers"] if name.lower() in _FILE_HEADERS]
            reduced = {**scope, "query_string": b"", "headers": headers}
            await self.app(reduced, receive, _without_cors(send, _FILE_PROTECTION))
        elif access is Access.SIGNED:
            await self._pass_signed(scope, receive, send)
        else:
            await _answer(send, *_ANSWERS[access])

    async def _pass_signed(self, scope: Message, receive: Receive, send: Send) -> None:
        if not any(name.lower() == b"authorization" for name, _ in scope["headers"]):
            await _answer(send, 403, _UNSIGNED)
            return
        body = await _read(receive)
        if body is None:
            await _answer(send, 413, {"message": f"A request may have {MAX_BODY_BYTES} bytes."})
            return
        request = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body)
        if not request.is_signed_with(self.secret, self.now()):
            await _answer(send, 403, _UNSIGNED)
            return
        await self.app(scope, _replayed(body, receive), _without_cors(send))


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None if it is too long. If the sender disconnects, the part that arrived."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Receives the body again, then the remaining messages."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


def _without_cors(send: Send, more: list[tuple[bytes, bytes]] | None = None) -> Send:
    """Sends without the headers that would let a page of another origin read the answer, and with `more`."""

    async def filtered(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": [*kept, *(more or [])]}
        await send(message)

    return filtered


async def _answer(send: Send, status: int, body: dict[str, str]) -> None:
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


_UNSIGNED = {
    "__type": "AccessDeniedException",
    "message": "This is the local cloud's control plane. Sign requests with the `aws_credentials` of "
    "`switchboard status --json`.",
}
_ANSWERS = {
    Access.HEALTH: (200, {"status": "ok"}),
    Access.UNKNOWN_HOST: (421, {"message": "Unknown Host header. Use 127.0.0.1 or localhost, with the port."}),
    Access.MALFORMED: (400, {"message": "The request line must hold a path."}),
}
