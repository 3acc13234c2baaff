"""What another user of the machine, and a web page in the user's browser, learn from a running local cloud: nothing."""

import http.client
import json
import os
import pwd
import socket
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.support.cloud import Cloud

STRANGER = 61_234  # a user id that owns nothing
SERVER_USER = "nobody"  # the name in the password file
SECONDS = 60.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FORGED = {"Authorization": "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/ssm/aws4_request, "
          f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}", "X-Amz-Date": "20260101T000000Z"}  # fmt: skip
Request = tuple[str, str, dict[str, str], str]
"""Method, target, headers, body."""


def secrets_of(cloud: Cloud) -> dict[str, str]:
    """All that a stranger must not learn."""
    kept = {name: cloud.files.secret(name) for name in ("token-key", "database", "redis")}
    return kept | {"token": cloud.status["token"], "aws": cloud.status["aws_credentials"]["aws_secret_access_key"]}


def target(version: str, operation: str, body: str = "{}") -> Request:
    headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": operation}
    return "POST", "/", headers, body


def listings(cloud: Cloud) -> list[Request]:
    """Each known way to list what the local cloud holds, and some that change it."""
    api, live = (cloud.status[name].split("/_aws/")[1] for name in ("api", "websocket"))
    paths = [
        *("/2015-03-31/functions/", "/2015-03-31/functions/switchboard-ingest"),
        "/2015-03-31/functions/switchboard-ingest/configuration",
        *("/2015-03-31/event-source-mappings/", "/2017-03-31/tags/x", "/_ministack/lambda-code/switchboard-ingest"),
        *("/", "/switchboard-artifacts-000000000000-us-east-1?list-type=2", "/switchboard-dashboard-000000000000"),
        *("/switchboard-dashboard-000000000000?policy", "/restapis", "/v2/apis", "/schedules", "/v20180820/x"),
        *("/_ministack/config", "/_ministack/ready", "/_localstack/health", "/_localstack/init", "/health"),
        *("/_aws/sqs/messages", "/_aws/ses", "/_aws/sns/sms-messages", "/_aws/lambda-url/x/", "/_alb/x"),
        *("/?Action=DescribeStacks&Version=2010-05-15", "/?Action=ListUsers&Version=2010-05-08"),
        "/2015-03-31/functions/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000000/20260101/us-east-1/"
        "lambda/aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        *("//2015-03-31/functions/", "/%32015-03-31/functions/", "/x/..;/2015-03-31/functions/"),
        *(f"/_aws/{live}/@connections/x", f"/_aws/{api}/%40connections/x", f"/_aws/{api}/../../2015-03-31/functions/"),
    ]
    parameters = json.dumps({"Path": "/", "Recursive": True, "WithDecryption": True})
    requests = [
        *(("GET", path, headers, "") for path in paths for headers in ({}, FORGED)),
        *(("OPTIONS", path, {"Access-Control-Request-Method": "POST"}, "") for path in paths),
        *(("POST", "/", FORM, f"Action={action}") for action in ("DescribeStacks", "ListStackResources", "ListQueues")),
        *[target("1.1", "AmazonSSM.DescribeParameters"), target("1.1", "AmazonSSM.GetParametersByPath", parameters)],
        *[target("1.1", "secretsmanager.ListSecrets"), target("1.1", "Logs_20140328.DescribeLogGroups")],
        target("1.1", "Logs_20140328.FilterLogEvents", '{"logGroupName": "/switchboard/functions"}'),
        *[target("1.0", "AmazonSQS.ListQueues"), target("1.1", "AWSEvents.ListRules")],
        target("1.1", "ResourceGroupsTaggingAPI_20170126.GetResources"),
        ("POST", "/2015-03-31/functions/switchboard-ingest/invocations", {}, "{}"),
        *[("POST", f"/_aws/{live}/@connections/x", {}, "{}"), ("POST", f"/_aws/{live}", {}, '{"action": "x"}')],
        *[("POST", "/_ministack/reset", {}, ""), ("POST", "/_ministack/config", {}, "{}")],
        *[("PUT", "/switchboard-dashboard-000000000000/index.html", {}, "x"), ("POST", "/graphql", {}, "{}")],
    ]
    return [
        (method, path, {**headers, "Origin": "http://127.0.0.1:9"}, body) for method, path, headers, body in requests
    ]


def ask(port: int, request: Request, host: str | None = None) -> tuple[int, str]:
    """The status, and all headers with the body."""
    method, path, headers, body = request
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request(method, path, body.encode() or None, headers | ({"Host": host} if host else {}))
        answer = connection.getresponse()
        return answer.status, f"{answer.getheaders()}\n{answer.read().decode(errors='replace')}"
    finally:
        connection.close()


def as_user(uid: int, work: Callable[[], Any]) -> Any:
    """What the work returns in a child process of that user, by way of JSON."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child starts none
        child = os.fork()
    if not child:
        try:
            os.close(reader)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            result = json.dumps({"result": work()})
        except BaseException as error:
            result = json.dumps({"error": repr(error)})
        with os.fdopen(writer, "w") as pipe:
            pipe.write(result)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = json.load(pipe)
    os.waitpid(child, 0)
    assert "error" not in found, found
    return found["result"]


def port_of(cloud: Cloud) -> int:
    return int(cloud.status["aws"].rpartition(":")[2])


def tree_of(cloud: Cloud) -> list[psutil.Process]:
    """The cloud's processes: its owner, the servers, the functions."""
    owner = psutil.Process(cloud.files.read_state()["owner"]["pid"])
    return [owner, *owner.children(recursive=True)]


def test_its_owner_can_read_the_keys_with_the_secret(cloud: Cloud):
    """What the other tests look for is really there."""
    variables = cloud.aws("lambda").get_function_configuration(FunctionName="switchboard-ingest")["Environment"][
        "Variables"
    ]
    assert variables["TOKEN_KEY"] == cloud.files.secret("token-key")
    assert cloud.files.secret("database") in variables["DATABASE_URL"]


def test_another_user_learns_nothing_from_the_control_plane(cloud: Cloud):
    port, requests = port_of(cloud), listings(cloud)

    def ask_all() -> list[tuple[int, str]]:
        return [ask(port, request) for request in requests]

    # Only root can become another user. HTTP knows no users, so the answers must be the same to ourselves.
    answers = as_user(STRANGER, ask_all) if os.geteuid() == 0 else ask_all()
    for request, (status, text) in zip(requests, answers, strict=True):
        assert status == 403, (request, text)
        assert "access-control-" not in text.lower(), request
        assert not [name for name, secret in secrets_of(cloud).items() if secret in text], request


def test_an_unknown_host_learns_nothing_at_all(cloud: Cloud):
    """DNS rebinding: the browser believes that this machine is attacker.example."""
    port, api = port_of(cloud), "/_aws/" + cloud.status["api"].split("/_aws/")[1]
    page = "/switchboard-dashboard-000000000000/config.json"
    opened: list[Request] = [("GET", path, {}, "") for path in (f"{api}/api/health", page, "/_ministack/health")]
    for request in (*opened, *listings(cloud)):
        for host in ("attacker.example", f"attacker.example:{port}", f"switchboard-api.execute-api.localhost:{port}"):
            assert ask(port, request, host)[0] == 421, (request, host)
    assert [ask(port, request)[0] for request in opened] == [200, 200, 200]


def test_other_forms_of_requests_learn_nothing(cloud: Cloud):
    port, listing = port_of(cloud), "/2015-03-31/functions/"
    with httpx.Client(http1=False, http2=True, timeout=SECONDS, trust_env=False) as client:
        answer = client.get(f"{cloud.status['aws']}{listing}")
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 403)
    absolute = ("GET", f"http://127.0.0.1:{port}{listing}", {}, "")
    assert ask(port, absolute)[0] == 400
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://127.0.0.1:9"}  # fmt: skip
    live = "/_aws/" + cloud.status["websocket"].split("/_aws/")[1]
    for path in ("/", "/event/realtime", "/mqtt", f"{live}/@connections/x"):
        assert ask(port, ("GET", path, upgrade, ""))[0] == 403, path
    for host in (f"x.appsync-realtime-api.localhost:{port}", f"iot.us-east-1.localhost:{port}", "attacker.example"):
        assert ask(port, ("GET", live, upgrade, ""), host)[0] == 403, host


def forbidden(read: Callable[[], object]) -> bool:
    try:
        read()
    except PermissionError:
        return True
    return False


def redis_says(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        client.sendall(b"INFO\r\n")
        return client.recv(100).decode()


def postgres_asks_for(port: int) -> tuple[str, int]:
    """What the server answers to a client that has no password yet: a kind of message, and of authentication."""
    body = struct.pack("!i", 196608) + b"user\0switchboard\0database\0switchboard\0\0"
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        client.sendall(struct.pack("!i", len(body) + 4) + body)
        answer = client.recv(9, socket.MSG_WAITALL)
    return chr(answer[0]), struct.unpack("!i", answer[5:9])[0]


@pytest.mark.parametrize("user", ["a stranger", "a server"])  # with root, Postgres has a user of its own
def test_another_user_reads_no_file_and_no_server(cloud: Cloud, user: str):
    if os.geteuid() != 0:
        pytest.skip("ANOTHER USER WAS NOT TRIED: only root can become one")
    uid = STRANGER if user == "a stranger" else pwd.getpwnam(SERVER_USER).pw_uid
    home, ports = cloud.home, cloud.files.read_state()["ports"]
    files = [cloud.files.state_file, cloud.files.function_log, cloud.files.sign_in, home / "redis.conf"]
    files += [home / "secrets" / name for name in ("token-key", "database", "redis")]
    folders = [home, *(home / name for name in ("logs", "tmp", "postgres", "secrets"))]
    pids = [process.pid for process in tree_of(cloud)]
    assert all(path.exists() for path in files)

    def look() -> dict[str, Any]:
        environments = []
        for pid in pids:
            with suppress(FileNotFoundError, ProcessLookupError):  # a function that has just ended
                environments.append(forbidden(Path(f"/proc/{pid}/environ").read_bytes))
        return {
            "files": [forbidden(path.read_bytes) for path in files],
            "folders": [forbidden(lambda folder=folder: list(folder.iterdir())) for folder in folders],
            "environments": environments,
            "redis": redis_says(ports["redis"]),
            "postgres": postgres_asks_for(ports["postgres"]),
        }

    found = as_user(uid, look)
    assert all(found["files"]) and all(found["folders"]) and all(found["environments"]), found
    assert found["redis"].startswith("-NOAUTH")
    assert found["postgres"] == ["R", 10]  # AuthenticationSASL


def test_every_file_is_its_owner_s_alone(cloud: Cloud):
    seen = 0
    for path in [cloud.home, *cloud.home.rglob("*")]:
        with suppress(FileNotFoundError):  # Postgres and the functions make and drop files all the time
            assert not stat.S_IMODE(path.lstat().st_mode) & 0o077 or path.is_symlink(), path
            seen += 1
    assert seen > 100


def test_no_command_line_holds_a_secret(cloud: Cloud):
    for process in tree_of(cloud):
        with suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            assert not [name for name, secret in secrets_of(cloud).items() if secret in line], line


def test_only_three_ports_listen_and_on_loopback_only(cloud: Cloud):
    listening: set[tuple[str, int]] = set()
    for process in tree_of(cloud):
        with suppress(psutil.NoSuchProcess):
            found = process.net_connections(kind="inet")
            listening |= {(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", port) for port in cloud.files.read_state()["ports"].values()}


class Quiet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page of another origin</title>")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def elsewhere() -> Iterator[str]:
    """The address of a page of another loopback origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


READ = """async ([base, requests]) => {
  const read = async (mode, [method, path, headers, body]) => {
    try {
      const simple = mode === 'no-cors' && method === 'OPTIONS' ? 'GET' : method
      const answer = await fetch(base + path, { mode, method: simple, headers, body: body || undefined })
      return [answer.type, answer.status, await answer.text()]
    } catch (error) { return ['error', 0, ''] }
  }
  const found = []
  for (const request of requests) for (const mode of ['cors', 'no-cors']) found.push(await read(mode, request))
  return found
}"""
OPEN = """address => new Promise(resolve => {
  const socket = new WebSocket(address)
  socket.onopen = () => resolve('open')
  socket.onerror = () => resolve('refused')
})"""


def test_a_page_of_another_origin_reads_nothing(page: Page, cloud: Cloud):
    api = cloud.status["api"]
    requests = [
        [method, path, {k: v for k, v in headers.items() if k != "Origin"}, body]
        for method, path, headers, body in listings(cloud)
    ]
    with elsewhere() as address:
        page.goto(address)
        kind, status, _ = page.evaluate(READ, [api, [["GET", "/api/health", {}, ""]]])[0]
        assert (kind, status) == ("cors", 200)  # the API is open to other pages, which need a token: fetch works here
        found = page.evaluate(READ, [cloud.status["aws"], requests])
        assert len(found) == 2 * len(requests)
        assert {(kind, status, text) for kind, status, text in found} <= {("error", 0, ""), ("opaque", 0, "")}
        live = cloud.status["websocket"]
        for socket_address in (f"{live}/@connections/x", cloud.status["aws"].replace("http", "ws", 1)):
            assert page.evaluate(OPEN, socket_address) == "refused"


def test_a_page_of_another_name_reads_nothing(page: Page, cloud: Cloud):
    """As after DNS rebinding. Browsers resolve every name below localhost to this machine."""
    for path in ("/2015-03-31/functions/", "/switchboard-dashboard-000000000000/index.html"):
        answer = page.goto(f"http://attacker.localhost:{port_of(cloud)}{path}")
        assert answer and answer.status == 421


def test_the_sign_in_page_opens_the_dashboard(page: Page, cloud: Cloud):
    with page.expect_websocket(lambda feed: cloud.status["token"] in feed.url, timeout=SECONDS * 1000):
        page.goto(cloud.files.sign_in.as_uri())
    assert page.url.startswith(cloud.status["dashboard"].partition("#")[0])
