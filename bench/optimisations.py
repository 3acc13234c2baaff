"""The gain of each optimisation over its plain alternative: python -m bench.optimisations [NAME ...].

Each line shows the processor time of one item, plain and optimised, in microseconds, and their ratio. Both sides
alternate in one run, and the median of the rounds counts. The ratio is usable on a busy machine.
"""

import asyncio
import gc
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import Any

import aiohttp
import redis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench import ingest
from bench.gateway import gateway
from bench.report import console
from bench.stage import Stage, stage
from shared.adapters.aws import lambda_memory
from shared.adapters.aws.connection_pool import HttpGateway
from shared.adapters.aws.connections import connection_url
from shared.adapters.aws.sigv4 import Signer
from shared.adapters.postgres.connection import Database
from shared.adapters.redis.publisher import _Line
from shared.contracts.views import CallView
from shared.domain.call import Call
from shared.domain.events import Limits
from shared.settings import AwsKeys

ROUNDS = 5
FRAME = b"x" * 1300  # the length of a frame with one event
POSTS, CONCURRENT_POSTS = 2000, 64
STATEMENTS = 500
BATCHES = 10  # requests of 500 events, per round
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
URL = "https://api.execute-api.eu-central-1.amazonaws.com/live/@connections/abc%3D"
QUERY = "select id, status, queue_id, %s::timestamptz from calls where id = any(%s::text[]) and version > %s"

Run = Callable[[], object]
Costs = tuple[float, float]  # of one item, plain and optimised, in seconds of processor time


def seconds(run: Run) -> float:
    """Processor time of this process."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def compare(items: int, plain: Run, optimised: Run) -> Costs:
    """The medians. Each run handles this number of items."""
    plain()
    optimised()
    rounds = [(seconds(plain) / items, seconds(optimised) / items) for _ in range(ROUNDS)]
    return median(cost for cost, _ in rounds), median(cost for _, cost in rounds)


def compare_calls(plain: Run, optimised: Run, calls: int = 1000) -> Costs:
    def repeat(do: Run) -> Run:
        return lambda: [do() for _ in range(calls)]

    return compare(calls, repeat(plain), repeat(optimised))


def http_client(_: Stage) -> Costs:
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
        return compare(POSTS, lambda: asyncio.run(library(server.url)), lambda: asyncio.run(own(server.url)))


async def _post_all(post: Callable[[int], Awaitable[object]]) -> None:
    numbers = iter(range(POSTS))

    async def worker() -> None:
        for number in numbers:
            await post(number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENT_POSTS)))


def signing(_: Stage) -> Costs:
    """One signed request: `sigv4.Signer` and botocore's `SigV4Auth`."""
    signer = Signer("execute-api", "eu-central-1", lambda: KEYS)
    auth = SigV4Auth(Credentials(KEYS.key_id, KEYS.secret), "execute-api", "eu-central-1")  # type: ignore[no-untyped-call]

    def library() -> None:
        auth.add_auth(AWSRequest("POST", URL, data=FRAME))  # type: ignore[no-untyped-call]

    return compare_calls(library, lambda: signer.headers("POST", URL, FRAME))


def redis_connection(stage: Stage) -> Costs:
    """One message to Redis: a bare connection of redis-py and its client. The overlap with Postgres comes on top."""
    with closing(redis.Redis.from_url(stage.redis.url)) as client, closing(_Line(stage.redis.url)) as connection:
        message = FRAME * 3

        def own() -> None:
            connection.send("PUBLISH", "bench", message)
            connection.answer()

        return compare_calls(lambda: client.publish("bench", message), own)


def cursors(stage: Stage) -> Costs:
    """One statement in a pipeline: a cursor per statement text and a new cursor."""
    with closing(Database(stage.database())) as database:
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

        return compare(STATEMENTS, new, reused)


def trusted(_: Stage) -> Costs:
    """One view from stored values: `Contract.trusted` and `model_construct`."""
    values = dict.fromkeys(CallView.model_fields)
    return compare_calls(lambda: CallView.model_construct(**values), lambda: CallView.trusted(**values))


def of_fields(_: Stage) -> Costs:
    """One evolved call: `Call.of_fields` and the constructor."""
    limits = Limits(20, 20, 60, 5, 30, "telephony")
    moment = datetime.now(UTC)  # noqa: TID251 - any time
    call = Call("c", "voice", "q", None, limits, moment, moment)
    values = vars(call)
    return compare_calls(lambda: Call(**values), lambda: Call.of_fields(values.copy()))


def garbage_collection(stage: Stage) -> Costs:
    """An event in a batch of 500: `lambda_memory.tune_garbage_collection` and Python's defaults."""
    rounds = [(_event_seconds(stage, tuned=False), _event_seconds(stage, tuned=True)) for _ in range(ROUNDS)]
    return median(cost for cost, _ in rounds), median(cost for _, cost in rounds)


def _event_seconds(stage: Stage, *, tuned: bool) -> float:
    """In a process of its own."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def work() -> None:
        batches = ingest._batches(ingest.lifecycles(100 * BATCHES), 500)
        ingest._warm(stage, ingest.POST, ingest._batches(ingest.lifecycles(100, "warm"), 50))
        if tuned:
            lambda_memory.tune_garbage_collection()
        else:
            gc.set_threshold(700, 10, 10)
        requests = [ingest.POST.request(batch) for batch in batches]
        spent = seconds(lambda: [ingest.POST.handle(request) for request in requests])
        results.put(spent / (500 * BATCHES))

    process = context.Process(target=work)
    process.start()
    process.join()
    return results.get()


MEASUREMENTS = (http_client, signing, redis_connection, cursors, trusted, of_fields, garbage_collection)


def measure(names: list[str]) -> Iterator[str]:
    with stage() as ground:
        for measurement in MEASUREMENTS:
            if not names or measurement.__name__ in names:
                plain, optimised = (cost * 1e6 for cost in measurement(ground))
                yield f"{plain:8.1f} {optimised:8.1f} {plain / optimised:6.2f}  {measurement.__doc__}"


if __name__ == "__main__":
    for line in measure(sys.argv[1:]):
        console.print(line, highlight=False)
