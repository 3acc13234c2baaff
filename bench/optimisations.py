"""Each optimisation and its plain alternative: `python -m bench optimisations`.

Values are processor time, so that the ratio is usable on a busy machine. Both sides alternate in one run.
"""

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import aiohttp
import redis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.core import BATCH, batches, lifecycles, post_events
from bench.gateway import gateway
from bench.harness import KEY, Figure, Servers, medians_in_turn
from shared.adapters.auth import tokens
from shared.adapters.aws import lambda_memory
from shared.adapters.aws.connection_pool import HttpGateway
from shared.adapters.aws.connections import connection_url
from shared.adapters.aws.sigv4 import Signer
from shared.adapters.postgres.connection import Database
from shared.adapters.redis.publisher import _PipelinedConnection
from shared.contracts.views import CallView
from shared.domain.call import Call
from shared.domain.events import Limits
from shared.settings import AwsKeys
from shared.usecases.feed.timeout import Timeout

FRAME = b"x" * 1300  # the length of a frame with one event
CALLS = 1000
POSTS, CONCURRENT_POSTS = 2000, 64
STATEMENTS = 500
BATCHES = 10  # requests of 500 events, per round
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
URL = "https://api.execute-api.eu-central-1.amazonaws.com/live/@connections/abc%3D"
QUERY = "select id, status, queue_id, %s::timestamptz from calls where id = any(%s::text[]) and version > %s"

Run = Callable[[], object]


def measure(servers: Servers) -> Iterator[Figure]:
    yield _figure("post by the relay's HTTP client", "aiohttp", *_http_client())
    yield _figure("time limit of a post", "a timer of the event loop", *_timeout())
    yield _figure("signature of a request", "botocore", *_signing())
    yield _figure("message on a Redis connection", "redis-py's client", *_redis_connection(servers))
    yield _figure("statement with its own cursor", "a new cursor", *_cursors(servers))
    yield _figure("view by Contract.trusted", "model_construct", *_trusted())
    yield _figure("evolved call by Call.of_fields", "the constructor", *_of_fields())
    yield _figure("event of a batch with tuned memory", "Python's defaults", *_memory(servers))


def _figure(name: str, plain_name: str, optimised: float, plain: float) -> Figure:
    return Figure(f"optimisation: {name}", optimised * 1e6, "µs", plain * 1e6, plain_name)


def _seconds(run: Run, items: int = 1) -> float:
    """Processor time of this process for each item."""
    began = time.process_time()
    run()
    return (time.process_time() - began) / items


def _compare(items: int, optimised: Run, plain: Run) -> list[float]:
    """The medians, in seconds. Each run handles this number of items."""
    optimised()
    plain()
    return medians_in_turn(lambda: _seconds(optimised, items), lambda: _seconds(plain, items))


def _compare_calls(optimised: Run, plain: Run) -> list[float]:
    def repeat(do: Run) -> Run:
        return lambda: [do() for _ in range(CALLS)]

    return _compare(CALLS, repeat(optimised), repeat(plain))


def _http_client() -> list[float]:
    """Posts of the relay: `keepalive_http.KeepAliveConnection` and aiohttp."""

    async def own(url: str) -> None:
        async with HttpGateway(url) as client:
            await _post_all(lambda number: client.post(f"deaf-{number}", FRAME))

    async def library(url: str) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def post(number: int) -> None:
                async with session.post(connection_url(url, f"deaf-{number}"), data=FRAME) as response:
                    await response.read()

            await _post_all(post)

    with gateway() as server:
        return _compare(POSTS, lambda: asyncio.run(own(server.url)), lambda: asyncio.run(library(server.url)))


async def _post_all(post: Callable[[int], Awaitable[object]]) -> None:
    numbers = iter(range(POSTS))

    async def worker() -> None:
        for number in numbers:
            await post(number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENT_POSTS)))


def _signing() -> list[float]:
    """One signed request: `sigv4.Signer` and botocore's `SigV4Auth`."""
    signer = Signer("execute-api", "eu-central-1", lambda: KEYS)
    auth = SigV4Auth(Credentials(KEYS.key_id, KEYS.secret), "execute-api", "eu-central-1")  # type: ignore[no-untyped-call]

    def library() -> None:
        auth.add_auth(AWSRequest("POST", URL, data=FRAME))  # type: ignore[no-untyped-call]

    return _compare_calls(lambda: signer.headers("POST", URL, FRAME), library)


def _timeout() -> list[float]:
    async def reused() -> None:
        timeout = Timeout(5, lambda: None)
        for _ in range(CALLS):
            timeout.start()
            await asyncio.sleep(0)
            timeout.stop()
        timeout.close()

    async def timers() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CALLS):
            timer = loop.call_later(5, lambda: None)
            await asyncio.sleep(0)
            timer.cancel()

    return _compare(CALLS, lambda: asyncio.run(reused()), lambda: asyncio.run(timers()))


def _redis_connection(servers: Servers) -> list[float]:
    """One message to Redis: a bare connection of redis-py and its client. The overlap with Postgres comes on top."""
    with (
        closing(redis.Redis.from_url(servers.redis.url)) as client,
        closing(_PipelinedConnection(servers.redis.url)) as connection,
    ):
        message = FRAME * 3

        def own() -> None:
            connection.send("PUBLISH", "bench", message)
            connection.answer()

        return _compare_calls(own, lambda: client.publish("bench", message))


def _cursors(servers: Servers) -> list[float]:
    """One statement in a pipeline: a cursor per statement text and a new cursor."""
    with closing(Database(servers.new_database())) as database:
        connection = database.connection()
        values: list[Any] = [datetime.now(UTC), ["a", "b"], 3]  # noqa: TID251 - any time

        def reused() -> None:
            with connection.pipeline():
                for _ in range(STATEMENTS):
                    connection.cursor_of(QUERY).execute(QUERY, values)

        def new() -> None:
            with connection.pipeline():
                for _ in range(STATEMENTS):
                    connection.cursor(binary=True).execute(QUERY, values)

        return _compare(STATEMENTS, reused, new)


def _trusted() -> list[float]:
    """One view from stored values: `Contract.trusted` and `model_construct`."""
    values = dict.fromkeys(CallView.model_fields)
    return _compare_calls(lambda: CallView.trusted(**values), lambda: CallView.model_construct(**values))


def _of_fields() -> list[float]:
    """One evolved call: `Call.of_fields` and the constructor."""
    limits = Limits(20, 20, 60, 5, 30, "telephony")
    moment = datetime.now(UTC)  # noqa: TID251 - any time
    call = Call("c", "voice", "q", None, limits, moment, moment)
    values = vars(call)
    return _compare_calls(lambda: Call.of_fields(values.copy()), lambda: Call(**values))


def _memory(servers: Servers) -> list[float]:
    return medians_in_turn(lambda: _event_seconds(servers, tuned=True), lambda: _event_seconds(servers, tuned=False))


def _event_seconds(servers: Servers, *, tuned: bool) -> float:
    """In a process of its own."""
    database_url = servers.new_database()
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def post_all() -> None:
        token = tokens.mint(KEY, role="admin")
        servers.act_as_function(database_url)
        for batch in batches(lifecycles(40, "warm"), 20):
            post_events(token, batch)
        gc.set_threshold(700, 10, 10)
        if tuned:
            lambda_memory.tune_garbage_collection()
        bodies = batches(lifecycles(BATCHES * BATCH // 5, "call"))
        results.put(_seconds(lambda: [post_events(token, body) for body in bodies], BATCHES * BATCH))

    process = context.Process(target=post_all)
    process.start()
    process.join()
    return results.get()
