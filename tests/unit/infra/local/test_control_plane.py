"""Which requests reach the local cloud without the run's secret, and what a signature must be."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.control_plane import MAX_BODY_BYTES, Access, Gate, Rules, SignedRequest, known_hosts
from shared.adapters import clock
from shared.adapters.aws.sigv4 import Signer
from shared.settings import AwsKeys

SECRET = "the run's secret"
HOST = "127.0.0.1:14566"
RULES = Rules(known_hosts(14566), "switchboard-dashboard-000000000000", {"switchboard-api"}.__contains__)
API, SOCKET = "/_aws/execute-api/switchboard-api/live", "/_aws/execute-api/switchboard-live/live"
SITE = "/switchboard-dashboard-000000000000"


def decide(path: str, method: str = "GET", kind: str = "http", host: str = HOST) -> Access:
    return RULES.decide(kind, method, path.encode(), [(b"host", host.encode())])


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (f"{API}/api/events", "POST"),
        (f"{API}/api/calls", "OPTIONS"),
        (f"{API}/api/calls/a%2Fb", "GET"),
        (f"{API}/api/calls/@connections", "GET"),
        (f"{API}/", "GET"),
        (API, "GET"),
    ],
)
def test_the_rest_api_is_open(path: str, method: str):
    assert decide(path, method) is Access.API


@pytest.mark.parametrize("path", [SOCKET, f"{SOCKET}/"])
def test_the_feed_is_open_to_websockets_only(path: str):
    assert decide(path, kind="websocket") is Access.API
    assert decide(path) is Access.SIGNED


@pytest.mark.parametrize("name", ["index.html", "config.json", "assets/index-B_1.js"])
def test_the_dashboard_s_files_are_open_to_be_read(name: str):
    assert [decide(f"{SITE}/{name}", method) for method in ("GET", "HEAD")] == [Access.FILE, Access.FILE]
    for method in ("PUT", "POST", "DELETE", "OPTIONS", "PATCH"):
        assert decide(f"{SITE}/{name}", method) is Access.SIGNED


def test_a_bare_health_answer_is_open():
    assert decide("/_ministack/health") is Access.HEALTH
    assert decide("/_ministack/health", "POST") is Access.SIGNED


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/2015-03-31/functions/",
        "/2015-03-31/functions/switchboard-ingest/configuration",
        "/_ministack/lambda-code/switchboard-ingest",
        "/_ministack/reset",
        "/_ministack/config",
        "/_ministack/ready",
        "/_localstack/health",
        "/health",
        "/_aws/sqs/messages",
        "/_aws/lambda-url/x/",
        "/restapis",
        "/restapis/switchboard-api/live/_user_request_/api/health",
        "/switchboard-artifacts-000000000000-us-east-1/template/x.json",
        # Posts to sockets, however written
        f"{SOCKET}/@connections/x",
        f"{API}/@connections/x",
        f"{API}//@connections/x",
        f"{API}/%40connections/x",
        f"{API}/%2540connections/x",
        f"{API}/@CONNECTIONS/x",
        "/_aws/execute-api/switchboard-api//@connections/x",
        "/_aws/execute-api//live/@connections/x",
        # Paths that two readers could understand differently
        "//_aws/execute-api/switchboard-api/live/api/health",
        "/_aws//execute-api/switchboard-api/live/api/health",
        "/%5faws/execute-api/switchboard-api/live/api/health",
        "/_aws/execute-api/switchboard%2dapi/live/api/health",
        "/_aws/execute-api/switchboard-api%2flive/api/health",
        "/_aws/execute-api/another-api/live/api/health",
        "/_aws/execute-api/../../2015-03-31/functions/",
        f"{API}/../../2015-03-31/functions/",
        f"{API}/%2e%2e/%2E%2E/2015-03-31/functions/",
        f"{API}/./@connections/x",
        "/_aws/execute-api/switchboard-api",
        "/_ministack/health/",
        "/_ministack/health/../config",
        "/_ministack/health;x",
        "/_ministack/%68ealth",
        # The dashboard's bucket as a whole, and ways out of it
        SITE,
        f"{SITE}/",
        f"{SITE}//index.html",
        f"{SITE}/assets/",
        f"{SITE}/../_ministack/config",
        f"{SITE}/..;/_ministack/config",
        f"{SITE}/%2e%2e/x",
        f"{SITE}%2findex.html",
        f"{SITE}/.well-known/jwks.json",
        f"{SITE}-2/index.html",
    ],
)
def test_everything_else_needs_a_signature(path: str):
    assert decide(path) is Access.SIGNED
    assert decide(path, "POST") is Access.SIGNED
    assert decide(path, kind="websocket") is Access.SIGNED


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["127.0.0.1:14566", "localhost:14566", "LOCALHOST:14566", "[::1]:14566"])
def test_known_hosts(kind: str, host: str):
    assert decide(API if kind == "http" else SOCKET, kind=kind, host=host) is Access.API


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("path", [f"{API}/api/health", SOCKET, f"{SITE}/index.html", "/_ministack/health", "/"])
@pytest.mark.parametrize(
    "host",
    [
        "",
        "attacker.example:14566",
        "attacker.example",
        "127.0.0.1",
        "localhost",
        "localhost:80",
        "localhost.:14566",
        "localhost:14566.attacker.example",
        "localhost:14566, attacker.example",
        "switchboard-artifacts-000000000000-us-east-1.s3.localhost:14566",
        "switchboard-api.execute-api.localhost:14566",
        "user@localhost:14566",
    ],
)
def test_an_unknown_host_reaches_nothing(kind: str, path: str, host: str):
    assert decide(path, kind=kind, host=host) is Access.UNKNOWN_HOST


def test_no_host_or_two_hosts_reach_nothing():
    hosts = [(b"host", HOST.encode()), (b"Host", b"attacker.example")]
    for headers in ([], hosts, hosts[::-1], [hosts[0], hosts[0]]):
        assert RULES.decide("http", "GET", f"{API}/api/health".encode(), headers) is Access.UNKNOWN_HOST


def test_other_names_can_be_made_known():
    rules = Rules(known_hosts(4567, ["ministack:4567"]), "", lambda _: True)
    assert rules.decide("http", "GET", API.encode(), [(b"host", b"ministack:4567")]) is Access.API
    assert rules.decide("http", "GET", b"//index.html", [(b"host", b"ministack:4567")]) is Access.SIGNED


@pytest.mark.parametrize("target", ["http://127.0.0.1:14566/_ministack/health", "127.0.0.1:14566", "*", ""])
def test_a_request_line_without_a_path_is_malformed(target: str):
    assert decide(target) is Access.MALFORMED


def signed(
    service: str = "ssm",
    method: str = "POST",
    target: str = "/",
    body: bytes = b"{}",
    secret: str = SECRET,
    **more: str,
) -> SignedRequest:
    """A request as boto3 signs it."""
    request = AWSRequest(method, f"http://{HOST}{target}", {"Host": HOST, "X-Amz-Target": "x.y", **more}, body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials("000000000000", secret), service, "us-east-1").add_auth(request)
    path, _, query = target.partition("?")
    headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    return SignedRequest(method, path.encode(), query.encode(), headers, body)


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("ssm", "/"),
        ("lambda", "/2015-03-31/functions/switchboard-relay/invocations"),
        ("s3", "/bucket/a%20key"),
        ("s3", "/bucket?list-type=2&prefix=a%2Fb"),
        ("execute-api", f"{SOCKET}/@connections/abc%3D"),
    ],
)
def test_a_request_signed_by_botocore_passes(service: str, target: str):
    assert signed(service, target=target).is_signed_with(SECRET, clock.now())


def test_the_relay_s_signature_passes():
    url = f"http://{HOST}{SOCKET}/@connections/abc%3D"
    keys = AwsKeys("000000000000", SECRET, "")
    headers = Signer("execute-api", "us-east-1", lambda: keys).headers("POST", url, b"frame") | {"Host": HOST}
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    path = f"{SOCKET}/@connections/abc%3D".encode()
    assert SignedRequest("POST", path, b"", sent, b"frame").is_signed_with(SECRET, clock.now())
    assert not SignedRequest("POST", path, b"", sent, b"forged").is_signed_with(SECRET, clock.now())
    assert not SignedRequest("DELETE", path, b"", sent, b"frame").is_signed_with(SECRET, clock.now())
    assert not SignedRequest("POST", path, b"x=1", sent, b"frame").is_signed_with(SECRET, clock.now())


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    kept = [pair for pair in request.headers if pair[0] != name.encode()]
    return SignedRequest(
        request.method,
        request.raw_path,
        request.query,
        kept if value is None else [*kept, (name.encode(), value.encode())],
        request.body,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", None),
        ("authorization", "Bearer the run's secret"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ssm/aws4_request"),
        ("authorization", "AWS test:abc"),
        ("host", "localhost:14566"),
        ("x-amz-target", "AmazonSSM.GetParameters"),
        ("x-amz-date", None),
        ("x-amz-date", "now"),
        ("x-amz-content-sha256", "0" * 64),
    ],
)
def test_a_request_that_was_changed_does_not_pass(name: str, value: str | None):
    assert not with_header(signed(), name, value).is_signed_with(SECRET, clock.now())


def test_another_secret_does_not_pass():
    for secret in ("test", "", SECRET + "x"):
        assert not signed(secret=secret).is_signed_with(SECRET, clock.now())


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_signature_is_valid_for_15_minutes(minutes: int):
    assert not signed().is_signed_with(SECRET, clock.now() + timedelta(minutes=minutes))
    assert signed().is_signed_with(SECRET, clock.now() + timedelta(minutes=minutes / 2))


def test_a_presigned_address_does_not_pass():
    request = AWSRequest("GET", f"http://{HOST}/bucket/key", {"Host": HOST})
    SigV4QueryAuth(Credentials("000000000000", SECRET), "s3", "us-east-1").add_auth(request)
    query = str(request.url).partition("?")[2]
    assert "X-Amz-Signature" in query
    presigned = SignedRequest("GET", b"/bucket/key", query.encode(), [(b"host", HOST.encode())], b"")
    assert not presigned.is_signed_with(SECRET, clock.now())


class Behind:
    """The application behind the gate: notes what reaches it, and answers with CORS headers as MiniStack does."""

    def __init__(self) -> None:
        self.reached: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append((scope, await receive()))
        headers = [(b"Access-Control-Allow-Origin", b"*"), (b"etag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


def ask(request: SignedRequest, kind: str = "http") -> tuple[Behind, list[Any]]:
    """Send a request through a gate. Returns what is behind it, and the messages that came back."""
    behind, answered = Behind(), []
    scope = {"type": kind, "method": request.method, "path": request.raw_path.decode(), "raw_path": request.raw_path,
             "query_string": request.query, "headers": request.headers}  # fmt: skip
    parts = [{"type": "http.request", "body": request.body[:1], "more_body": True}]
    parts.append({"type": "http.request", "body": request.body[1:], "more_body": False})
    if kind == "websocket":
        parts = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        answered.append(message)

    asyncio.run(Gate(behind, RULES, SECRET, clock.now)(scope, receive, send))
    return behind, answered


def plain(path: str, method: str = "GET", query: str = "", **headers: str) -> SignedRequest:
    sent = [(b"host", HOST.encode()), *((name.replace("_", "-").encode(), v.encode()) for name, v in headers.items())]
    return SignedRequest(method, path.encode(), query.encode(), sent, b"")


def names(message: Any) -> set[bytes]:
    return {name.lower() for name, _ in message["headers"]}


def test_a_signed_request_passes_with_its_body_and_no_cors():
    behind, (start, _) = ask(signed(body=b'{"Name": "x"}'))
    assert behind.reached[0][1] == {"type": "http.request", "body": b'{"Name": "x"}', "more_body": False}
    assert (start["status"], names(start)) == (200, {b"etag"})


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_an_unsigned_request_ends_at_the_gate(method: str):
    asked = [
        plain("/", method, origin="http://127.0.0.1:9000", access_control_request_method="POST"),
        plain("/", method, query="Action=DescribeStacks"),
        signed(secret="test"),
    ]
    for request in asked:
        behind, (start, body) = ask(request)
        assert (behind.reached, start["status"]) == ([], 403)
        assert not any(name.startswith(b"access-control-") for name in names(start))
        assert b"aws_credentials" in body["body"]


def test_a_file_request_loses_all_other_parameters():
    for_ssm = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ssm/aws4_request"
    headers = {"x_amz_target": "AmazonSSM.GetParameters", "authorization": for_ssm, "range": "bytes=0-1"}
    asked = plain(f"{SITE}/index.html", query="versions", **headers)
    behind, (start, _) = ask(asked)
    scope = behind.reached[0][0]
    assert scope["query_string"] == b""
    assert {name for name, _ in scope["headers"]} == {b"host", b"range"}
    assert b"access-control-allow-origin" not in names(start)
    assert (b"content-security-policy", b"frame-ancestors 'none'") in start["headers"]


def test_the_api_has_its_own_cors_and_all_headers():
    behind, (start, _) = ask(plain(f"{API}/api/calls", query="limit=1", authorization="Bearer x"))
    assert behind.reached[0][0]["query_string"] == b"limit=1"
    assert b"access-control-allow-origin" in names(start)


def test_health_says_nothing_more():
    behind, (start, body) = ask(plain("/_ministack/health"))
    assert (behind.reached, start["status"], body["body"]) == ([], 200, b'{"status": "ok"}')


def test_an_unknown_host_is_answered_before_anything_is_read():
    behind, (start, _) = ask(with_header(signed(), "host", "attacker.example:14566"))
    assert (behind.reached, start["status"]) == ([], 421)


def test_a_socket_to_the_control_plane_is_refused():
    behind, answered = ask(plain("/_aws/events"), "websocket")
    assert (behind.reached, answered) == ([], [{"type": "websocket.close", "code": 1008}])


def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("infra.local.control_plane.MAX_BODY_BYTES", 10)
    behind, (start, _) = ask(signed(body=b"x" * 11))
    assert (behind.reached, start["status"]) == ([], 413)
    assert MAX_BODY_BYTES > 10 * 2**20  # a package must fit
