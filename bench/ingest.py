"""Ingest through the handler, in process, against the very statements that it sends, without the rules around them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from bench.stage import KEY, Figure, Stage, per_second
from shared.adapters import tokens
from shared.adapters.postgres.ledger import Cursor, PostgresLedger

CALLS = 400
Trace = list[tuple[list[tuple[Any, Any]], bool]]


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
    yield _figure(stage, 1, "ingest, one event a request")
    yield _figure(stage, 500, "ingest, 500 a request")


def _figure(stage: Stage, batch: int, name: str) -> Figure:
    events = lifecycles(CALLS if batch == 1 else CALLS * 10)
    bodies = events if batch == 1 else [events[i : i + batch] for i in range(0, len(events), batch)]
    requests = [_request(body) for body in bodies]
    _run(stage, requests[: len(requests) // 10 or 1])  # warm code, then a fresh database
    handled, trace = _run(stage, requests)
    bare = _replay(stage, trace, len(events))
    return Figure(name, handled * batch, "events/s", bare, "the same SQL without rules")


def _run(stage: Stage, requests: list[dict[str, Any]]) -> tuple[float, Trace]:
    """The handler over all requests: requests a second, and the statements that it sent."""
    from functions.ingest.app import app

    stage.become_function(stage.database())

    def work() -> None:
        for request in requests:
            answer = app(request, None)
            assert answer["statusCode"] in (200, 201), answer["body"]

    with _traced() as trace:
        rate = per_second(work, len(requests))
    return rate, trace


@contextmanager
def _traced() -> Iterator[Trace]:
    """Remember what the ledger sends. Costs the measured side a list append a round trip."""
    trace: Trace = []
    original = PostgresLedger._run

    def remembering(self: PostgresLedger, *queries: tuple[LiteralString, Any], commit: bool = False) -> list[Cursor]:
        trace.append((list(queries), commit))
        return original(self, *queries, commit=commit)

    PostgresLedger._run = remembering  # type: ignore[method-assign]
    try:
        yield trace
    finally:
        PostgresLedger._run = original  # type: ignore[method-assign]


def _replay(stage: Stage, trace: Trace, events: int) -> float:
    with psycopg.connect(stage.database(), autocommit=True, prepare_threshold=1) as connection:
        return per_second(lambda: _send(connection, trace), events)


def _send(connection: psycopg.Connection[Any], trace: Trace) -> None:
    begun = False
    for queries, commit in trace:
        with connection.pipeline():
            if not begun:
                connection.execute("begin")
            for query, parameters in queries:
                connection.execute(query, parameters)
            if commit:
                connection.execute("commit")
        begun = not commit


def _request(body: object) -> dict[str, Any]:
    context = {"resourcePath": "/api/events", "httpMethod": "POST", "path": "/api/events"}
    return {
        "httpMethod": "POST",
        "path": "/api/events",
        "requestContext": context,
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "headers": {"content-type": "application/json", "authorization": f"Bearer {tokens.mint(KEY, role='admin')}"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "stageVariables": None,
    }
