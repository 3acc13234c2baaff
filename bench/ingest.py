"""Ingest through the handlers, in process, against what this machine can do at all.

One event a request stands beside the very statements that it sends, without the rules around them. A batch stands
beside bare events: inserted 500 a transaction by `unnest`, with a key and nothing else. A batch of a real day has a
third as many calls as events, and copies its senders' ids; in the dearest that there can be, each event is of another.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from statistics import median
from typing import Any

import psycopg

from bench.report import console
from bench.stage import KEY, REPOSITORY, Figure, Stage, per_second
from infra.floor.call_log import LoggedCall, read
from infra.floor.playback import in_order
from shared.adapters import tokens
from shared.adapters.ids import new_id
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.ledger import Cursor, PostgresLedger, Query

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
Handle = Callable[[dict[str, Any]], None]
Trace = list[tuple[list[Query], bool, bool]]  # what was sent, whether it was waited for, whether it was the last


def lifecycles(calls: int) -> list[dict[str, Any]]:
    """Complete calls, interleaved as on a floor: every first event, then every second, and so on."""
    steps = [
        {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
        {"event": "call_routed", "routingTime": 1},
        {"event": "call_answered", "waitTime": 5},
        {"event": "call_hold", "holdDuration": 20},
        {"event": "call_ended", "endReason": "completed", "duration": 90},
    ]
    return [
        step | {"callId": f"call-{n}"} | ({"agentId": f"agent-{n}"} if step["event"] == "call_routed" else {})
        for step in steps
        for n in range(calls)
    ]


def measure(stage: Stage) -> Iterator[Figure]:
    single = [_request(event) for event in lifecycles(CALLS)]
    trace = _trace(stage, _post, single)
    rate, ceiling = _in_turn(lambda: _handled(stage, _post, single), lambda: _replayed(stage, trace, len(single)))
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
    batches = [told[i : i + BATCH] for i in range(0, len(told), BATCH)]
    posts, deliveries = [_request(batch) for batch in batches], [_delivery(batch) for batch in batches]
    history = [_request(batch, history=True) for batch in batches]
    trace = _trace(stage, _post, posts)

    def handled(handle: Handle, requests: list[dict[str, Any]]) -> Callable[[], float]:
        return lambda: _handled(stage, handle, requests) * len(told) / len(requests)

    bare, sql, posted, delivered, recorded = _in_turn(
        lambda: _bare(stage, lifecycles(CALLS * 5)),
        lambda: _replayed(stage, trace, len(told)),
        handled(_post, posts),
        handled(_deliver, deliveries),
        handled(_post, history),
    )
    yield Figure(f"ingest, 500 a request, {name}", posted, "events/s", bare, "bare events by unnest")
    yield Figure("  its SQL, no rules", sql, "events/s", bare, "bare events by unnest")
    yield Figure("  as history", recorded, "events/s", bare, "bare events by unnest")
    yield Figure("  as 500 SQS messages at once", delivered, "events/s", posted, "500 a request")


def seconds_a_request(stage: Stage, batch: int) -> float:
    """How long the handler takes for so many events, one request after the other, without Lambda around it."""
    told = lifecycles(CALLS)
    requests = [_request(told[i : i + batch]) for i in range(0, len(told), batch)]
    _trace(stage, _post, requests)
    return 1 / median(_handled(stage, _post, requests) for _ in range(ROUNDS))


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


def _handled(stage: Stage, handle: Handle, requests: list[dict[str, Any]]) -> float:
    """Requests a second through the handler, on a database of its own."""
    stage.become_function(stage.database())
    return per_second(lambda: [handle(request) for request in requests], len(requests))


def _trace(stage: Stage, handle: Handle, requests: list[dict[str, Any]]) -> Trace:
    """The statements that the handler sends for these.

    To remember them keeps the handler's memory from being used again, a sixth of the processor's time: this warms up,
    and is not measured.
    """
    with _traced() as trace:
        _handled(stage, handle, requests)
    return trace


def _post(request: dict[str, Any]) -> None:
    from functions.ingest.app import app

    answer = app(request, None)
    assert answer["statusCode"] in (200, 201), answer["body"]


def _deliver(delivery: dict[str, Any]) -> None:
    from functions.ingest.app import from_queue

    assert from_queue(delivery, None) == {"batchItemFailures": []}


def _bare(stage: Stage, told: list[dict[str, Any]]) -> float:
    rows = [(f"event-{n}", event["callId"], event["event"], json.dumps(event)) for n, event in enumerate(told)]
    batches = [[list(column) for column in zip(*rows[i : i + BATCH], strict=True)] for i in range(0, len(rows), BATCH)]
    with psycopg.connect(stage.database(), autocommit=True, prepare_threshold=1) as connection:
        connection.execute(_BARE_TABLE)
        return per_second(lambda: [connection.execute(_BARE_INSERT, batch) for batch in batches], len(told))


@contextmanager
def _traced() -> Iterator[Trace]:
    """Remember what the ledger sends."""
    trace: Trace = []
    original = PostgresLedger._run

    def remembering(
        self: PostgresLedger,
        queries: Iterable[Query],
        *,
        wait: bool = True,
        commit: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Cursor]:
        sent: list[Query] = []
        trace.append((sent, wait, commit))
        return original(self, _kept(queries, sent), wait=wait, commit=commit, meanwhile=meanwhile)

    PostgresLedger._run = remembering  # type: ignore[method-assign]
    try:
        yield trace
    finally:
        PostgresLedger._run = original  # type: ignore[method-assign]


def _replayed(stage: Stage, trace: Trace, events: int) -> float:
    """On a connection like the handler's."""
    with closing(Database(stage.database())) as database:
        connection = database.connection()
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
