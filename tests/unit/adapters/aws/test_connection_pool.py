"""The relay's side of HTTP: posts on lines that are kept, whatever the other side does with them."""

import asyncio
import ssl
from collections import deque
from contextlib import asynccontextmanager

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.aws import connection_pool as gateway_module
from shared.adapters.aws import keepalive_http
from shared.adapters.aws.connection_pool import HttpGateway
from shared.usecases.feed.ports import PostResult
from tests.support.examples import examples

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LONG = b'HTTP/1.1 429 Too Many\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"message": "no"}'
CHUNKED = b"HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HANG_UP = b""


class Server:
    """Answers each request with the next of its answers, cut into pieces; `heard` has them by connection."""

    def __init__(self, *answers: bytes, pieces: int = 1) -> None:
        self.answers, self.pieces = deque(answers), pieces
        self.heard: list[list[bytes]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        self.heard.append(heard)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                heard.append(head + await reader.readexactly(length))
                answer = self.answers.popleft()
                await self.may_answer.wait()
                if answer == HANG_UP:
                    break
                for start in range(0, len(answer), size := -(-len(answer) // self.pieces)):
                    writer.write(answer[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def posting(*answers: bytes, pieces: int = 1, tls: ssl.SSLContext | None = None, **options):
    server = Server(*answers, pieces=pieces)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/live"
    async with asyncio.timeout(20), listening, HttpGateway(url, **options) as gateway:
        yield server, gateway


async def test_a_post_is_a_request_as_api_gateway_wants_it():
    def sign(method: str, url: str, body: bytes) -> dict[str, str]:
        return {"Authorization": f"{method} {url.partition('/live')[2]} {len(body)}"}

    async with posting(OK, OK, sign=sign) as (server, gateway):
        assert await gateway.post("a/b=", "{ñ}".encode()) is PostResult.DONE
        assert await gateway.close("a/b=") is PostResult.DONE
        host = gateway._address.netloc
    assert [request.decode().split("\r\n") for request in server.heard[0]] == [
        ["POST /live/@connections/a%2Fb%3D HTTP/1.1", f"Host: {host}", "Content-Length: 4",
         "Authorization: POST /@connections/a%2Fb%3D 4", "", "{ñ}"],
        ["DELETE /live/@connections/a%2Fb%3D HTTP/1.1", f"Host: {host}", "Content-Length: 0",
         "Authorization: DELETE /@connections/a%2Fb%3D 0", "", ""],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (OK, PostResult.DONE),
        (b"HTTP/1.1 204 No Content\r\n\r\n", PostResult.DONE),
        (CHUNKED, PostResult.GONE),
        (LONG, PostResult.BUSY),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", PostResult.BUSY),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", PostResult.BUSY),
        (b"not HTTP at all\r\n\r\n", PostResult.BUSY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", PostResult.BUSY),
        (HANG_UP, PostResult.BUSY),
    ],
)
async def test_each_post_gets_its_own_answer(answer, sent):
    async with posting(answer, CHUNKED) as (_, gateway):
        assert await gateway.post("c", b"frame") is sent
        assert await gateway.post("c", b"frame") is PostResult.GONE


@examples(quick=20, deep=200)  # each with a server of its own
@given(st.integers(1, 200), st.permutations([OK, LONG, CHUNKED]))
def test_however_an_answer_is_cut_into_pieces(pieces, answers):
    async def post_all():
        async with posting(*answers, pieces=pieces) as (server, gateway):
            sent = [await gateway.post("c", b"frame") for _ in answers]
            assert sent == [
                {OK: PostResult.DONE, LONG: PostResult.BUSY, CHUNKED: PostResult.GONE}[answer] for answer in answers
            ]
            assert len(server.heard) == 1

    asyncio.run(post_all())


async def test_concurrent_posts_use_separate_connections():
    async with posting(*[OK] * 23) as (server, gateway):
        for _ in range(20):
            await gateway.post("c", b"frame")
        assert [len(heard) for heard in server.heard] == [20]
        server.may_answer.clear()
        at_once = [asyncio.create_task(gateway.post(name, b"frame")) for name in "abc"]
        while sum(map(len, server.heard)) < 23:
            await asyncio.sleep(0)
        server.may_answer.set()
        assert await asyncio.gather(*at_once) == [PostResult.DONE] * 3
    assert [len(heard) for heard in server.heard] == [21, 1, 1]


async def test_a_line_that_the_other_side_ends_is_not_used_again():
    async with posting(LAST, OK, OK) as (server, gateway):
        assert [await gateway.post("c", b"frame") for _ in range(2)] == [PostResult.DONE, PostResult.DONE]
    assert [len(heard) for heard in server.heard] == [1, 1]


async def test_a_line_that_was_idle_for_long_is_not_trusted(monkeypatch):
    monkeypatch.setattr(gateway_module, "MAX_IDLE_SECONDS", 0)
    async with posting(OK, OK) as (server, gateway):
        assert [await gateway.post("c", b"frame") for _ in range(2)] == [PostResult.DONE, PostResult.DONE]
    assert [len(heard) for heard in server.heard] == [1, 1]


async def test_a_late_answer_is_not_given_to_another_post():
    async with posting(CHUNKED, OK) as (server, gateway):
        server.may_answer.clear()
        given_up = asyncio.create_task(gateway.post("a", b"frame"))
        while not server.heard or not server.heard[0]:
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        server.may_answer.set()
        assert await gateway.post("b", b"frame") is PostResult.DONE


async def test_no_answer_ends_in_busy(monkeypatch):
    monkeypatch.setattr(keepalive_http, "RESPONSE_TIMEOUT_SECONDS", 0.05)
    async with posting(OK, OK) as (server, gateway):
        server.may_answer.clear()
        assert await gateway.post("c", b"frame") is PostResult.BUSY
        server.may_answer.set()
        assert await gateway.post("c", b"frame") is PostResult.DONE


async def test_a_post_to_a_closed_port_returns_busy():
    async with posting() as (_, gateway):
        pass
    assert await gateway.post("c", b"frame") is PostResult.BUSY


async def test_a_gateway_is_known_by_its_certificate(monkeypatch):
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with posting(OK, tls=tls) as (server, gateway):
        assert await gateway.post("c", b"frame") is PostResult.BUSY
        monkeypatch.setattr(keepalive_http, "_tls_context", lambda: trusting)
        assert await gateway.post("c", b"x" * 30_000) is PostResult.DONE
        assert server.heard[-1][0].endswith(b"x" * 30_000)
