"""Ingest through the handlers, in process, against what this machine can do at all.

One event a request stands beside the very statements that it sends, without the rules around them. A batch stands
beside bare events: inserted 500 a transaction by `unnest`, with a key and nothing else. A batch of a real day has a
third as many calls as events, and copies its senders' ids; in the dearest that there can be, each event is of another.

All of them are warm, on connections that have prepared their statements: what a cold start costs, `bench.imports` says.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from statistics import median
from typing import Any, TypeVar

import psycopg

from bench.report import console
from bench.stage import KEY, REPOSITORY, Figure, Stage, per_second
from infra.simulator.call_log import LoggedCall, read
from infra.simulator.playback import in_order
from shared.adapters.auth import tokens
from shared.adapters.ids import new_id
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import Cursor, PostgresUnitOfWork, Query

CALLS = 400
BATCH = 500
ROUNDS = 5  # of which the median counts
REAL_DAY = REPOSITORY.parent / "shared" / "data" / "technion-1999-08-01.csv"
_BARE_TABLE = """
create table bare (id text primary key, call_id text, name text, data jsonb, at timestamptz default now())
"""
_BARE_INSERT = """
insert into bare (id, call_id, name, data) select * from unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[])
"""
T = TypeVar("T")
Trace = list[tuple[list[Query], bool, bool]]  # what was sent, whether it was waited for, whether it was the last


@dataclass(frozen=True)
class Way:
    """In which events get to the function: one of them or a batch, as a request, and who is handed it."""

    handle: Callable[[dict[str, Any]], None]
    request: Callable[[Any], dict[str, Any]]


def lifecycles(calls: int, name: str = "call") -> list[dict[str, Any]]:
    """Complete calls, interleaved as on a floor: every first event, then every second, and so on."""
    steps = [
        {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
        {"event": "call_routed", "routingTime": 1},
        {"event": "call_answered", "waitTime": 5},
        {"event": "call_hold", "holdDuration": 20},
        {"event": "call_ended", "endReason": "completed", "duration": 90},
    ]
    return [
        step | {"callId": f"{name}-{n}"} | ({"agentId": f"agent-{n}"} if step["event"] == "call_routed" else {})
        for step in steps
        for n in range(calls)
    ]


def measure(stage: Stage) -> Iterator[Figure]:
    single, warm_up = lifecycles(CALLS), lifecycles(10, "warm")
    trace = _trace(stage, POST, single, warm_up)
    rate, ceiling = _in_turn(
        lambda: _handled(stage, POST, single, warm_up), lambda: _replayed(stage, *trace, len(single))
    )
    yield Figure("ingest, one event a request", rate, "events/s", ceiling, "same SQL, no rules")

    yield from _measure_batches(stage, "a real day", real_day())
    yield from _measure_batches(stage, "each of another call", lifecycles(CALLS * 5))


def real_day() -> list[dict[str, Any]]:
    """Its events in the order of time, all in one queue; none where the file is not here."""
    if not REAL_DAY.exists():
        console.print(f"The real day is not here, and not measured: {REAL_DAY}")
        return []
    with REAL_DAY.open() as lines:
        calls = [entry for entry in read(lines, date(1999, 8, 1)) if isinstance(entry, LoggedCall)]
    told = [event for _, event in in_order(calls)]
    return [event | {"queueId": "medical_spanish"} if "queueId" in event else event for event in told]


def _measure_batches(stage: Stage, name: str, told: list[dict[str, Any]]) -> Iterator[Figure]:
    if not told:
        return
    batches, warm_up = _batches(told, BATCH), _batches(lifecycles(BATCH // 5, "warm"), BATCH // 10)
    trace = _trace(stage, POST, batches, warm_up)

    def handled(way: Way) -> Callable[[], float]:
        return lambda: _handled(stage, way, batches, warm_up) * len(told) / len(batches)

    bare, sql, posted, delivered, recorded = _in_turn(
        lambda: _bare(stage, lifecycles(len(told) // 5)),
        lambda: _replayed(stage, *trace, len(told)),
        handled(POST),
        handled(DELIVER),
        handled(RECORD),
    )
    yield Figure(f"ingest, 500 a request, {name}", posted, "events/s", bare, "bare events by unnest")
    yield Figure("  its SQL, no rules", sql, "events/s", bare, "bare events by unnest")
    yield Figure("  as history", recorded, "events/s", bare, "bare events by unnest")
    yield Figure("  as 500 SQS messages at once", delivered, "events/s", posted, "500 a request")


def seconds_a_request(stage: Stage, batch: int) -> float:
    """How long the handler takes for so many events, one request after the other, without Lambda around it."""
    batches, warm_up = _batches(lifecycles(CALLS), batch), _batches(lifecycles(10, "warm"), 5)
    return 1 / median(_handled(stage, POST, batches, warm_up) for _ in range(ROUNDS))


def _batches(told: Sequence[T], size: int) -> list[Sequence[T]]:
    return [told[i : i + size] for i in range(0, len(told), size)]


def _in_turn(*rates: Callable[[], float]) -> list[float]:
    """The median of each, measured one after the other, again and again: a slow moment is everybody's. Another begins
    each time: nobody always comes behind the one that keeps the disk busy.
    """
    found: list[list[float]] = [[] for _ in rates]
    for turn in range(ROUNDS):
        for place in range(len(rates)):
            which = (turn + place) % len(rates)
            found[which].append(rates[which]())
    return [median(several) for several in found]


def _handled(stage: Stage, way: Way, told: Sequence[Any], warm_up: Sequence[Any]) -> float:
    """Requests a second through the handler, on a database of its own."""
    _warm(stage, way, warm_up)
    requests = [way.request(one) for one in told]
    return per_second(lambda: [way.handle(request) for request in requests], len(requests))


def _warm(stage: Stage, way: Way, warm_up: Sequence[Any]) -> None:
    stage.become_function(stage.database())
    for one in warm_up:
        way.handle(way.request(one))


def _trace(stage: Stage, way: Way, told: Sequence[Any], warm_up: Sequence[Any]) -> tuple[Trace, Trace]:
    """The statements that the handler sends for these: those of the warm-up, and the others.

    To remember them keeps the handler's memory from being used again, a sixth of the processor's time: so this is not
    measured.
    """
    with _traced() as trace:
        _warm(stage, way, warm_up)
        sent = len(trace)
        for one in told:
            way.handle(way.request(one))
    return trace[:sent], trace[sent:]


def _post(request: dict[str, Any]) -> None:
    from functions.ingest.app import app

    answer = app(request, None)
    assert answer["statusCode"] in (200, 201), answer["body"]


def _deliver(delivery: dict[str, Any]) -> None:
    from functions.ingest.app import from_queue

    assert from_queue(delivery, None) == {"batchItemFailures": []}


def _bare(stage: Stage, told: list[dict[str, Any]]) -> float:
    rows = [(f"event-{n}", event["callId"], event["event"], json.dumps(event)) for n, event in enumerate(told)]
    batches = [[list(column) for column in zip(*batch, strict=True)] for batch in _batches(rows, BATCH)]
    with psycopg.connect(stage.database(), autocommit=True, prepare_threshold=1) as connection:
        connection.execute(_BARE_TABLE)
        for n in range(10):
            connection.execute(_BARE_INSERT, [[f"warm-{n}"], ["warm"], ["warm"], ["{}"]])
        return per_second(lambda: [connection.execute(_BARE_INSERT, batch) for batch in batches], len(told))


@contextmanager
def _traced() -> Iterator[Trace]:
    """Remember what the ledger sends."""
    trace: Trace = []
    original = PostgresUnitOfWork._run

    def remembering(
        self: PostgresUnitOfWork,
        queries: Iterable[Query],
        *,
        wait: bool = True,
        commit: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Cursor]:
        sent: list[Query] = []
        trace.append((sent, wait, commit))
        return original(self, _kept(queries, sent), wait=wait, commit=commit, meanwhile=meanwhile)

    PostgresUnitOfWork._run = remembering  # type: ignore[method-assign]
    try:
        yield trace
    finally:
        PostgresUnitOfWork._run = original  # type: ignore[method-assign]


def _replayed(stage: Stage, warm_up: Trace, trace: Trace, events: int) -> float:
    """On a connection like the handler's."""
    with closing(Database(stage.database())) as database:
        connection = database.connection()
        _send(connection, warm_up)
        return per_second(lambda: _send(connection, trace), events)


def _kept(queries: Iterable[Query], kept: list[Query]) -> Iterator[Query]:
    for query in queries:
        kept.append(query)
        yield query


def _send(connection: psycopg.Connection[Any], trace: Trace) -> None:
    begun, pipeline = False, ExitStack()
    sending = False
    for queries, wait, commit in trace:
        if not sending:
            pipeline.enter_context(connection.pipeline())
        if not begun:
            connection.execute("begin")
        for query, parameters in queries:
            connection.execute(query, parameters)
        if commit:
            connection.execute("commit")
        if wait:
            pipeline.close()
        begun, sending = not commit, not wait


def _delivery(told: list[dict[str, Any]]) -> dict[str, Any]:
    attributes = {"SentTimestamp": str(time.time_ns() // 1_000_000)}
    return {"Records": [{"messageId": new_id(), "body": json.dumps(event), "attributes": attributes} for event in told]}


def _request(body: object, *, history: bool = False) -> dict[str, Any]:
    context = {"resourcePath": "/api/events", "httpMethod": "POST", "path": "/api/events"}
    return {
        "httpMethod": "POST",
        "path": "/api/events",
        "requestContext": context,
        "pathParameters": None,
        "multiValueQueryStringParameters": {"history": ["true"]} if history else None,
        "headers": {"content-type": "application/json", "authorization": f"Bearer {tokens.mint(KEY, role='admin')}"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "stageVariables": None,
    }


POST = Way(_post, _request)
RECORD = Way(_post, partial(_request, history=True))
DELIVER = Way(_deliver, _delivery)
