"""Ingest through the handlers, compared with plain inserts of the same events into one table.

The reference for one event a request is one insert and commit an event; for batches it is one insert of 500 events.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

from bench.core import BATCH, batches, lifecycles, post_events
from bench.harness import KEY, Figure, Servers, medians_in_turn, per_second
from shared.adapters.auth import tokens
from shared.adapters.ids import new_id

SINGLE_CALLS, BATCH_CALLS = 120, 1_000
_TABLE = "create table plain (id text primary key, call_id text, name text, data jsonb, at timestamptz default now())"
_INSERT = """
insert into plain (id, call_id, name, data) select * from unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[])
"""
Events = Sequence[dict[str, Any]]


def measure(servers: Servers) -> Iterator[Figure]:
    token = tokens.mint(KEY, role="admin")
    single, many = lifecycles(SINGLE_CALLS, "call"), lifecycles(BATCH_CALLS, "call")

    def post(body: Any) -> None:  # noqa: ANN401 - an event or several
        post_events(token, body)

    def import_calls(body: Any) -> None:  # noqa: ANN401 - as above
        post_events(token, body, {"history": "true"})

    rate, plain = medians_in_turn(
        lambda: _handled(servers, post, single),
        lambda: _plain_inserts(servers, [[event] for event in single]),
    )
    yield Figure("ingest, one event a request", rate, "events/s", plain, "plain inserts")
    posted, delivered, imported, plain = medians_in_turn(
        lambda: _handled(servers, post, batches(many)) * BATCH,
        lambda: _handled(servers, _deliver, batches(many)) * BATCH,
        lambda: _handled(servers, import_calls, batches(many)) * BATCH,
        lambda: _plain_inserts(servers, batches(many)),
    )
    yield Figure("ingest, 500 events a request", posted, "events/s", plain, "plain inserts of 500")
    yield Figure("ingest, 500 SQS messages", delivered, "events/s", posted, "500 events a request")
    yield Figure("ingest, 500 imported events", imported, "events/s", posted, "500 events a request")


def _handled(servers: Servers, handle: Callable[[Any], None], bodies: Sequence[Any]) -> float:
    """Requests a second on a new database, after a warm-up."""
    servers.act_as_function(servers.new_database())
    for body in batches(lifecycles(40, "warm"), 20):
        handle(body)
    return per_second(lambda: [handle(body) for body in bodies], len(bodies))


def _deliver(events: Events) -> None:
    from functions.ingest.app import from_queue

    attributes = {"SentTimestamp": str(time.time_ns() // 1_000_000)}
    records = [{"messageId": new_id(), "body": json.dumps(event), "attributes": attributes} for event in events]
    assert from_queue({"Records": records}, None) == {"batchItemFailures": []}


def _plain_inserts(servers: Servers, bodies: Sequence[Events]) -> float:
    """Events a second."""
    rows = [
        [[new_id() for _ in body], [event["callId"] for event in body], [event["event"] for event in body],
         [json.dumps(event) for event in body]]
        for body in bodies
    ]  # fmt: skip
    with psycopg.connect(servers.new_database(), autocommit=True, prepare_threshold=1) as connection:
        connection.execute(_TABLE)
        for number in range(10):
            connection.execute(_INSERT, [[f"warm-{number}"], ["warm"], ["warm"], ["{}"]])
        return per_second(lambda: [connection.execute(_INSERT, row) for row in rows], sum(map(len, bodies)))
